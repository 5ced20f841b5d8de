// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {vm} from "../base/Vm.sol";
import {CHAINED, INDEPENDENT, Purse, World} from "./World.sol";

/// @notice What payers do with their accounts: deposits of all three kinds, withdrawals, other relayers.
abstract contract Banking is World {
    uint256 private salt;

    function _depositSome() internal {
        uint256 mode = _pick(2);
        uint256 key = keys[_pick(3)];
        address who = vm.addr(key);
        uint256 amount = _pick(200 * UNIT);
        uint32 relayerId = uint32(_pick(4) == 0 ? RELAYER_ID + _pick(3) : 0);
        // What payers pay is gone for them, so they must earn something.
        if (_pick(4) > 0) _earnAtHome(who, 200 * UNIT);
        uint256 way = _pick(3);
        bool done = way == 0
            ? _depositAllowed(mode, who, amount, relayerId)
            : way == 1
                ? _depositPermitted(mode, key, amount, relayerId)
                : _depositAuthorized(mode, key, amount, relayerId);
        Purse storage purse = purses[mode][who];
        bool isDue = isListed && amount > 0 && amount <= home[who] && (relayerId == 0 || relayerId == purse.relayerId);
        if (moody.victim() != address(vault)) vm.assertTrue(done == isDue, "a deposit by the rules");
        else vm.assertTrue(isDue || !done, "no deposit against the rules");
        if (!done) return;
        home[who] -= amount;
        purse.balance += amount;
        happened[way == 0 ? "deposit" : way == 1 ? "permitted deposit" : "authorized deposit"]++;
    }

    function _depositAllowed(uint256 mode, address who, uint256 amount, uint32 relayerId) private returns (bool) {
        vm.prank(who);
        moody.approve(address(vault), amount);
        bytes memory call = mode == INDEPENDENT
            ? abi.encodeCall(vault.deposit, (address(moody), amount, relayerId))
            : abi.encodeCall(vault.depositChained, (address(moody), amount, relayerId));
        return _try(who, address(vault), call);
    }

    /// A third of the permits is sent by somebody else before.
    function _depositPermitted(uint256 mode, uint256 key, uint256 amount, uint32 relayerId) private returns (bool) {
        address who = vm.addr(key);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                who,
                address(vault),
                amount,
                moody.nonces(who),
                _now() + 60
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _ofToken(structHash));
        if (_pick(3) == 0) moody.permit(who, address(vault), amount, _now() + 60, v, r, s);
        return
            _try(
                who,
                address(vault),
                abi.encodeCall(
                    vault.depositWithPermit,
                    (uint8(mode), address(moody), amount, relayerId, _now() + 60, v, r, s)
                )
            );
    }

    function _depositAuthorized(uint256 mode, uint256 key, uint256 amount, uint32 relayerId) private returns (bool) {
        IVault.DepositAuthorization memory d = IVault.DepositAuthorization(
            vm.addr(key),
            address(moody),
            uint8(mode),
            relayerId,
            bytes32(salt++)
        );
        bytes32 nonce = keccak256(
            abi.encode(
                keccak256("DepositAuthorization(address payer,address token,uint8 mode,uint32 relayerId,bytes32 salt)"),
                d
            )
        );
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 structHash = keccak256(abi.encode(typeHash, d.payer, address(vault), amount, 0, _now() + 60, nonce));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _ofToken(structHash));
        bytes memory call = abi.encodeCall(vault.depositWithAuthorization, (d, amount, 0, _now() + 60, v, r, s));
        bool done = _try(stranger, address(vault), call);
        if (done) vm.assertFalse(_try(stranger, address(vault), call), "an authorization deposits once");
        return done;
    }

    function _withdrawSome() internal {
        uint256 mode = _pick(2);
        address who = vm.addr(keys[_pick(3)]);
        Purse storage purse = purses[mode][who];
        uint256 step = _pick(6);
        if (step < 2) {
            uint128 amount = uint128(_pick(600 * UNIT));
            bytes memory call = mode == INDEPENDENT
                ? abi.encodeCall(vault.requestWithdraw, (address(moody), amount))
                : abi.encodeCall(vault.requestWithdrawChained, (address(moody), amount));
            vm.assertTrue(_try(who, address(vault), call) == (amount > 0), "a request by the rules");
            if (amount > 0) (purse.withdrawAmount, purse.unlockAt) = (amount, _now() + 24 hours);
        } else if (step == 2) {
            bytes memory call = mode == INDEPENDENT
                ? abi.encodeCall(vault.cancelWithdraw, (address(moody)))
                : abi.encodeCall(vault.cancelWithdrawChained, (address(moody)));
            vm.assertTrue(_try(who, address(vault), call) == (purse.unlockAt != 0), "taken back by the rules");
            if (purse.unlockAt != 0) happened["request taken back"]++;
            (purse.withdrawAmount, purse.unlockAt) = (0, 0);
        } else {
            _withdrawAsked(mode, who, purse);
        }
    }

    function _withdrawAsked(uint256 mode, address who, Purse storage purse) private {
        bytes memory call = mode == INDEPENDENT
            ? abi.encodeCall(vault.withdraw, (address(moody)))
            : abi.encodeCall(vault.withdrawChained, (address(moody)));
        bool done = _try(who, address(vault), call);
        bool isDue = purse.unlockAt != 0 && _now() >= purse.unlockAt;
        if (moody.victim() != who) vm.assertTrue(done == isDue, "a withdrawal by the rules");
        else vm.assertTrue(isDue || !done, "no withdrawal against the rules");
        if (!done) return;
        uint256 amount = purse.withdrawAmount < purse.balance ? purse.withdrawAmount : purse.balance;
        purse.balance -= amount;
        home[who] += amount;
        happened["withdrawal"]++;
        (purse.withdrawAmount, purse.unlockAt) = (0, 0);
    }

    function _rebindSome() internal {
        uint256 mode = _pick(2);
        address who = vm.addr(keys[_pick(3)]);
        Purse storage purse = purses[mode][who];
        if (_pick(2) == 0) {
            uint32 relayerId = uint32(_pick(3) == 0 ? _pick(2) * 70_000 : RELAYER_ID + _pick(2));
            bytes memory call = mode == INDEPENDENT
                ? abi.encodeCall(vault.setRelayer, (address(moody), relayerId))
                : abi.encodeCall(vault.setRelayerChained, (address(moody), relayerId));
            bool isDue = relayerId != 0 && (mode == INDEPENDENT || relayerId < 2 ** 16);
            vm.assertTrue(_try(who, address(vault), call) == isDue, "a rebind by the rules");
            if (!isDue) return;
            bool isSame = relayerId == purse.relayerId;
            (purse.pendingRelayerId, purse.pendingAt) = isSame ? (0, 0) : (relayerId, _now() + 24 hours);
        } else {
            bytes memory call = mode == INDEPENDENT
                ? abi.encodeCall(vault.applyRelayer, (who, address(moody)))
                : abi.encodeCall(vault.applyRelayerChained, (who, address(moody)));
            bool isDue = purse.pendingAt != 0 && _now() >= purse.pendingAt;
            vm.assertTrue(_try(stranger, address(vault), call) == isDue, "applied by the rules");
            if (!isDue) return;
            purse.relayerId = purse.pendingRelayerId;
            happened["rebind"]++;
            (purse.pendingRelayerId, purse.pendingAt) = (0, 0);
        }
    }

    function _ofToken(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", moody.DOMAIN_SEPARATOR(), structHash));
    }
}
