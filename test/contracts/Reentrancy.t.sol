// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../contracts/interfaces/IVault.sol";
import {ReentrantToken} from "../../contracts/test/HostileTokens.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

/// Every function of the vault that calls a token, called by the token while another of them waits for it.
contract ReentrancyTest is VaultTest {
    bytes[] private calls;

    function setUp() public override {
        super.setUp();
        IVault.Payment memory p;
        IVault.Acknowledgement memory a;
        IVault.AcknowledgementKey memory k;
        IVault.DepositAuthorization memory d;
        address place = address(token);
        calls.push(abi.encodeCall(vault.settle, ("")));
        calls.push(abi.encodeCall(vault.settleChained, ("")));
        calls.push(abi.encodeCall(vault.settleOverdue, (p, "", a, new bytes32[](0), "", k, "")));
        calls.push(abi.encodeCall(vault.claim, (payee, place)));
        calls.push(abi.encodeCall(vault.claimTo, (place, payee)));
        calls.push(abi.encodeCall(vault.deposit, (place, 1, RELAYER_ID)));
        calls.push(abi.encodeCall(vault.depositChained, (place, 1, RELAYER_ID)));
        calls.push(abi.encodeCall(vault.depositWithAuthorization, (d, 1, 0, 0, 0, 0, 0)));
        calls.push(abi.encodeCall(vault.depositWithPermit, (0, place, 1, RELAYER_ID, 0, 0, 0, 0)));
        calls.push(abi.encodeCall(vault.withdraw, (place)));
        calls.push(abi.encodeCall(vault.withdrawTo, (place, payee)));
        calls.push(abi.encodeCall(vault.withdrawChained, (place)));
        calls.push(abi.encodeCall(vault.withdrawChainedTo, (place, payee)));
    }

    function _withEach(function(ReentrantToken, uint256) act) private {
        ReentrantToken reentrant = new ReentrantToken();
        _use(address(reentrant));
        for (uint256 i = 0; i < calls.length; i++) {
            reentrant.setCall(address(vault), calls[i]);
            act(reentrant, i);
            bytes32 locked = bytes32(bytes4(keccak256("ReentrancyGuardReentrantCall()")));
            vm.assertEq(bytes32(bytes4(reentrant.answer())), locked, "locked");
        }
    }

    function test_reverts_everyCallDuringAPayout() public {
        _withEach(_settleWith);
    }

    function test_reverts_everyCallDuringADeposit() public {
        _withEach(_depositWith);
    }

    function _settleWith(ReentrantToken, uint256 i) private {
        vm.assertTrue(_settleOne(_payment(UNIT, 1 + i)), "took effect");
    }

    function _depositWith(ReentrantToken reentrant, uint256) private {
        address target = reentrant.target();
        bytes memory data = reentrant.data();
        reentrant.setCall(address(0), "");
        _approve(payer, UNIT);
        reentrant.setCall(target, data);
        vm.prank(payer);
        vault.deposit(address(reentrant), UNIT, RELAYER_ID);
    }
}
