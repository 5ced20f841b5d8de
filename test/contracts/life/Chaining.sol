// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {ChainedParts, ChainedReference, SignedRun} from "../base/ChainedReference.sol";
import {vm} from "../base/Vm.sol";
import {CHAINED, Purse, World} from "./World.sol";

/// @notice Batches of chained runs: some are signed by another, some have a payment bent after it was signed.
abstract contract Chaining is World {
    mapping(bytes32 signature => bool) private isSpoilt;

    function _settleRuns() internal {
        uint256 count = 1 + _pick(3);
        ChainedParts memory b;
        (b.version, b.token, b.scale, b.anchor) = (3, address(moody), 1, keccak256("anchor"));
        b.baseDeadline = uint40(_now() - 10);
        b.payees = _payeeList();
        b.runs = new SignedRun[](count);
        for (uint256 i = 0; i < count; i++) {
            b.runs[i] = i > 0 && _pick(5) == 0 ? b.runs[i - 1] : _someRun();
            b.paymentCount += b.runs[i].count;
        }
        bytes memory call = abi.encodeCall(vault.settleChained, (ChainedReference.encode(b)));
        (uint32 relayerId, bytes memory results) = _send(address(vault), call, false);
        if (relayerId == 0) return;
        for (uint256 i = 0; i < count; i++) {
            vm.assertTrue(_bit(results, i) == _takesEffect(b.runs[i], relayerId), "a run by the rules");
        }
    }

    /// By our books, which it changes.
    function _takesEffect(SignedRun memory run, uint32 relayerId) private returns (bool) {
        Purse storage purse = purses[CHAINED][run.payer];
        bool isDue = !isSpoilt[keccak256(abi.encode(run.r, run.vs))] &&
            purse.relayerId == relayerId &&
            run.payments[0].sequence == purse.sequence + 1 &&
            run.payments[0].previous == purse.head;
        uint256 sum;
        for (uint256 j = 0; j < run.count; j++) {
            isDue = isDue && run.payments[j].amount > 0 && _isInTime(run.payments[j].deadline);
            sum += run.payments[j].amount;
        }
        if (!isDue || sum > purse.balance) return false;
        for (uint256 j = 0; j < run.count; j++) _bookOnce(_chainedDigest(run.payments[j]), run.payments[j].amount);
        happened["run"]++;
        purse.balance -= sum;
        purse.sequence += run.count;
        purse.head = ChainedReference.link(run.payments[run.count - 1], 1);
        return true;
    }

    /// One to four payments from the head on.
    function _someRun() private returns (SignedRun memory run) {
        uint256 key = keys[_pick(3)];
        run.payer = vm.addr(key);
        run.count = uint16(1 + _pick(4));
        run.payments = new IVault.ChainedPayment[](run.count);
        run.payeeIndexes = new uint16[](run.count);
        Purse storage purse = purses[CHAINED][run.payer];
        (uint256 sequence, bytes16 head) = (purse.sequence, purse.head);
        for (uint256 i = 0; i < run.count; i++) {
            run.payeeIndexes[i] = uint16(_pick(3));
            run.payments[i] = IVault.ChainedPayment({
                payer: run.payer,
                payee: payees[run.payeeIndexes[i]],
                token: address(moody),
                amount: _pick(20) == 0 ? 0 : 1 + _pick(150 * UNIT),
                sequence: ++sequence,
                deadline: _pick(20) == 0 ? _now() - 1 : _now() + _pick(12 hours + 1),
                orderRef: bytes8(uint64(_pick(type(uint64).max))),
                previous: head
            });
            head = ChainedReference.link(run.payments[i], 1);
        }
        bool isOwn = _pick(6) > 0;
        bool isBent = _pick(6) == 0;
        (run.r, run.vs) = _compact(isOwn ? key : 0xBAD, _chainedDigest(run.payments[run.count - 1]));
        if (isBent) run.payments[_pick(run.count)].amount += 1;
        if (!isOwn || isBent) isSpoilt[keccak256(abi.encode(run.r, run.vs))] = true;
    }

    function _chainedDigest(IVault.ChainedPayment memory p) private view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "ChainedPayment(address payer,address payee,address token,uint256 amount,uint256 sequence,uint256 deadline,bytes8 orderRef,bytes16 previous)"
        );
        return _digest(keccak256(abi.encode(typeHash, p)));
    }
}
