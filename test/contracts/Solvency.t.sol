// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../contracts/interfaces/IVault.sol";
import {BlocklistToken} from "../../contracts/test/HostileTokens.sol";
import {BatchParts, SignedPayment} from "./base/PackedReference.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

/// Random life with three payers and three payees, one of whom the token may block: after every step the vault holds
/// exactly what it owes.
contract SolvencyTest is VaultTest {
    uint256 private constant STEPS = 24;

    uint256[3] private keys = [uint256(0xA11CE), 0xB0B, 0xCA7];
    address[3] private payees = [payee, otherPayee, address(0xD00D)];
    BlocklistToken private blocklist;
    uint256 private random;

    function setUp() public override {
        super.setUp();
        blocklist = new BlocklistToken();
        _use(address(blocklist));
    }

    function test_owes_exactlyWhatItHolds(uint256 seed) public {
        random = seed;
        for (uint256 i = 0; i < STEPS; i++) {
            uint256 step = _pick(8);
            if (step < 3) _settleSome();
            else if (step == 3) _deposit(_somePayer(), 1 + _pick(500 * UNIT));
            else if (step == 4) _try(_somePayer(), abi.encodeCall(vault.requestWithdraw, (address(token), uint128(_pick(800 * UNIT)))));
            else if (step == 5) _try(_somePayer(), abi.encodeCall(vault.withdraw, (address(token))));
            else if (step == 6) _try(stranger, abi.encodeCall(vault.claim, (payees[_pick(3)], address(token))));
            else blocklist.setBlocked(payees[_pick(3)], _pick(2) == 0);
            vm.warp(block.timestamp + _pick(10 hours));
            _check();
        }
    }

    function _check() private view {
        uint256 owed;
        for (uint256 i = 0; i < 3; i++) {
            owed += vault.accountOf(vm.addr(keys[i]), address(token)).balance;
            owed += vault.credit(payees[i], address(token));
        }
        vm.assertEq(token.balanceOf(address(vault)), owed, "held and owed");
    }

    /// Up to five payments, good and bad; a third of the batches has a threshold that credits some.
    function _settleSome() private {
        vm.prank(owner);
        vault.listToken(address(token), 1, uint96(_pick(3) == 0 ? 200 * UNIT : 0));
        uint256 count = 1 + _pick(5);
        BatchParts memory b = _batch(count, 0);
        b.payees = new address[](3);
        for (uint256 i = 0; i < 3; i++) b.payees[i] = payees[i];
        for (uint256 i = 0; i < count; i++) {
            uint256 key = keys[_pick(3)];
            address who = vm.addr(key);
            uint256 index = _pick(3);
            IVault.Payment memory p = _payment(
                _pick(300 * UNIT),
                vault.accountOf(who, address(token)).topNonce + _pick(4)
            );
            (p.payer, p.payee) = (who, payees[index]);
            b.payments[i] = _sign(p, _pick(8) == 0 ? 0xBAD : key);
            b.payments[i].payeeIndex = uint16(index);
        }
        _settle(b);
    }

    function _try(address who, bytes memory data) private {
        vm.prank(who);
        (bool done, ) = address(vault).call(data);
        done;
    }

    function _somePayer() private returns (address) {
        return vm.addr(keys[_pick(3)]);
    }

    function _pick(uint256 below) private returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % below;
    }
}
