// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../base/Vm.sol";
import {World} from "./World.sol";

/// @notice What the owner, the guardian, the payees and the token do.
abstract contract Governing is World {
    function _changeMood() internal {
        address[5] memory victims = [payees[0], payees[1], address(vault), address(settler), vm.addr(keys[0])];
        uint256 mood = _pick(5);
        moody.setMood(mood == 0 ? address(0) : victims[_pick(5)], mood);
    }

    function _changeListing() internal {
        isListed = _pick(4) > 0;
        uint96 payoutMin = uint96(_pick(3) == 0 ? 100 * UNIT : 0);
        vm.prank(owner);
        vault.listToken(address(moody), 1, payoutMin);
        if (isListed) return;
        vm.prank(owner);
        vault.delistToken(address(moody));
    }

    /// Two hours at most, then a day without.
    function _pauseOrNot() internal {
        if (_pick(2) == 0) {
            bool isDue = _now() >= pauseAllowedAt;
            vm.assertTrue(_try(guardian, address(vault), abi.encodeCall(vault.pause, ())) == isDue, "a pause by the rules");
            if (isDue) (pausedUntil, pauseAllowedAt) = (_now() + 2 hours, _now() + 26 hours);
            if (isDue) happened["pause"]++;
        } else {
            bool isDue = _now() < pausedUntil;
            vm.assertTrue(_try(guardian, address(vault), abi.encodeCall(vault.unpause, ())) == isDue, "lifted by the rules");
            if (isDue) (pausedUntil, pauseAllowedAt) = (_now(), _now() + 24 hours);
            if (isDue) happened["pause lifted"]++;
        }
    }

    /// The guardian takes the honest relayer's sender away, the owner brings it back.
    function _changeRelayer() internal {
        bool isThere = idOf[sender] != 0;
        bytes memory call = isThere
            ? abi.encodeCall(vault.removeRelayer, (sender))
            : abi.encodeCall(vault.addRelayer, (sender, RELAYER_ID));
        vm.assertTrue(_try(isThere ? guardian : owner, address(vault), call), "in and out");
        idOf[sender] = isThere ? 0 : RELAYER_ID;
    }

    /// For a payee by anyone, or by the payee to somewhere else that is a payee too, so that our books see it.
    function _claimSome() internal {
        address who = payees[_pick(3)];
        address target = _pick(2) == 0 ? address(vault) : address(settler);
        bool done = _pick(2) == 0
            ? _try(stranger, target, abi.encodeCall(vault.claim, (who, address(moody))))
            : _try(who, target, abi.encodeCall(vault.claimTo, (address(moody), payees[_pick(3)])));
        if (done) happened["claim"]++;
    }
}
