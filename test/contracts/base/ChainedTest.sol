// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {ChainedParts, ChainedReference, SignedRun} from "./ChainedReference.sol";
import {VaultTest} from "./VaultTest.sol";
import {vm} from "./Vm.sol";

/// @notice A vault whose payer has 1,000 tokens in a chained account. Builds, signs and packs runs without the code under
/// test.
abstract contract ChainedTest is VaultTest {
    uint256 internal constant OTHER_KEY = 0xB0B;
    uint256 internal scale = 1;

    function setUp() public virtual override {
        super.setUp();
        _depositChained(payer, 1_000 * UNIT);
    }

    function _depositChained(address who, uint256 amount) internal {
        _approve(who, amount);
        vm.prank(who);
        vault.depositChained(address(token), amount, RELAYER_ID);
    }

    function _chained(address who) internal view returns (IVault.ChainedAccount memory) {
        return vault.chainedAccountOf(who, address(token));
    }

    /// Payments of one unit each to `payee`, going on from the account's head; unsigned.
    function _run(uint256 key, uint16 count) internal view returns (SignedRun memory run) {
        run.payer = vm.addr(key);
        run.count = count;
        run.payments = new IVault.ChainedPayment[](count);
        run.payeeIndexes = new uint16[](count);
        for (uint256 i = 0; i < count; i++) {
            run.payments[i] = IVault.ChainedPayment({
                payer: run.payer,
                payee: payee,
                token: address(token),
                amount: UNIT,
                sequence: 0,
                deadline: vm.getBlockTimestamp() + 1 hours + i,
                orderRef: bytes8(uint64(0x1122334455667788 + i)),
                previous: 0
            });
        }
        _chain(run);
    }

    /// Sets sequence and `previous` of every payment, from the account's head on.
    function _chain(SignedRun memory run) internal view {
        IVault.ChainedAccount memory account = _chained(run.payer);
        _chainFrom(run, account.sequence, account.head);
    }

    function _chainFrom(SignedRun memory run, uint256 sequence, bytes16 head) internal view {
        for (uint256 i = 0; i < run.payments.length; i++) {
            run.payments[i].sequence = ++sequence;
            run.payments[i].previous = head;
            head = ChainedReference.link(run.payments[i], scale);
        }
    }

    /// Signs the last payment.
    function _signRun(SignedRun memory run, uint256 key) internal view returns (SignedRun memory) {
        (run.r, run.vs) = _compact(key, _digest(run.payments[run.payments.length - 1]));
        return run;
    }

    function _digest(IVault.ChainedPayment memory p) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "ChainedPayment(address payer,address payee,address token,uint256 amount,uint256 sequence,uint256 deadline,bytes8 orderRef,bytes16 previous)"
        );
        return _digest(keccak256(abi.encode(typeHash, p)));
    }

    function _chainedBatch(SignedRun[] memory runs) internal view returns (ChainedParts memory b) {
        b.version = 3;
        b.token = address(token);
        b.scale = scale;
        b.baseDeadline = uint40(vm.getBlockTimestamp());
        b.anchor = keccak256("anchor");
        b.payees = new address[](1);
        b.payees[0] = payee;
        b.runs = runs;
        for (uint256 i = 0; i < runs.length; i++) b.paymentCount += uint16(runs[i].payments.length);
    }

    function _oneRun(SignedRun memory run) internal view returns (ChainedParts memory b) {
        SignedRun[] memory runs = new SignedRun[](1);
        runs[0] = run;
        return _chainedBatch(runs);
    }

    function _settleChained(ChainedParts memory b) internal returns (bytes memory) {
        bytes memory blob = ChainedReference.encode(b);
        vm.prank(sender);
        return vault.settleChained(blob);
    }

    /// Settles one run and says whether it took effect.
    function _runTookEffect(SignedRun memory run) internal returns (bool) {
        bytes memory results = _settleChained(_oneRun(run));
        vm.assertEq(results.length, 1, "one byte of results");
        vm.assertLe(uint8(results[0]), 1, "no bit without a run");
        return results[0] == 0x01;
    }
}
