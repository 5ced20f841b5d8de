// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {BatchParts, PackedReference, SignedPayment} from "../base/PackedReference.sol";
import {vm} from "../base/Vm.sol";
import {INDEPENDENT, Purse, World} from "./World.sol";

/// @notice Batches of independent payments, cancels and payments of the contract wallet: good ones, forged ones, old ones again.
abstract contract Paying is World {
    bytes4 private constant YES = 0x1626ba7e;
    /// Some of what was signed, to be sent again.
    SignedPayment[] private kept;
    mapping(bytes32 digest => bool) private isForged;

    function _settlePayments() internal {
        uint256 count = 1 + _pick(4);
        BatchParts memory b = _batch(count, _pick(2));
        b.version = 2;
        b.baseDeadline = uint40(_now() - 4 hours);
        b.payees = _payeeList();
        for (uint256 i = 0; i < count; i++) b.payments[i] = i > 0 && _pick(4) == 0 ? b.payments[i - 1] : _somePayment(b.baseDeadline);
        if (b.cancels.length == 1) {
            uint256 key = keys[_pick(3)];
            b.cancels[0] = _signCancel(key, _nearTop(vm.addr(key)), _now() - 10 + _pick(1 hours));
        }
        IVault.Payment memory w = _payment(1 + _pick(300 * UNIT), _nearTop(address(wallet)));
        (w.payer, w.payee, w.deadline) = (address(wallet), payees[0], _now() + 1 hours);
        bool isYes = _pick(4) > 0;
        wallet.setAnswer(isYes ? abi.encode(YES) : abi.encode(_pick(2)), _pick(90_000), _pick(8) == 0 && !isYes);

        bytes memory blob = abi.encodePacked(PackedReference.encode(b), uint8(1), _walletRecord(w, b.baseDeadline));
        (uint32 relayerId, bytes memory results) = _send(address(vault), abi.encodeCall(vault.settle, (blob)), false);
        if (relayerId == 0) return;
        for (uint256 i = 0; i < count; i++) {
            IVault.Payment memory p = b.payments[i].payment;
            bool isDue = !isForged[_signatureId(b.payments[i])] && _takesEffect(p, relayerId);
            vm.assertTrue(_bit(results, i) == isDue, "a payment by the rules");
            if (isDue) happened[relayerId == ROGUE_ID ? "payment by the rogue" : "payment"]++;
        }
        for (uint256 i = 0; i < b.cancels.length; i++) {
            (address who, uint256 nonce) = (b.cancels[i].payer, b.cancels[i].nonce);
            bool isDue = _isOpen(who, nonce) && _isInTime(b.cancels[i].deadline) && purses[INDEPENDENT][who].relayerId == relayerId;
            if (isDue) {
                _spend(who, nonce);
                happened["cancel"]++;
            }
            vm.assertTrue(_bit(results, count + i) == isDue, "a cancel by the rules");
        }
        bool isWalletDue = isYes && _takesEffect(w, relayerId);
        vm.assertTrue(_bit(results, count + b.cancels.length) == isWalletDue, "a wallet's payment by the rules");
        if (isWalletDue) happened["wallet payment"]++;
    }

    /// By our books, which it changes.
    function _takesEffect(IVault.Payment memory p, uint32 relayerId) internal returns (bool) {
        Purse storage purse = purses[INDEPENDENT][p.payer];
        bool isDue = _isOpen(p.payer, p.nonce) &&
            purse.relayerId == relayerId &&
            p.amount > 0 &&
            p.amount <= purse.balance &&
            _isInTime(p.deadline);
        if (!isDue) return false;
        _spend(p.payer, p.nonce);
        purse.balance -= p.amount;
        _bookOnce(_digest(p), p.amount);
        return true;
    }

    function _somePayment(uint256 baseDeadline) private returns (SignedPayment memory signed) {
        if (kept.length > 0 && _pick(4) == 0) {
            signed = kept[_pick(kept.length)];
            if (signed.payment.deadline >= baseDeadline && signed.payment.deadline - baseDeadline < 2 ** 16) return signed;
        }
        uint256 key = keys[_pick(3)];
        IVault.Payment memory p = _payment(_pick(10) == 0 ? 0 : _pick(300 * UNIT), _nearTop(vm.addr(key)));
        uint256 index = _pick(3);
        (p.payer, p.payee) = (vm.addr(key), payees[index]);
        p.deadline = _pick(4) == 0 ? _now() - 2 hours + _pick(4 hours) : _now() + _pick(13 hours);
        bool isOwn = _pick(6) > 0;
        signed = _sign(p, isOwn ? key : 0xBAD);
        signed.payeeIndex = uint16(index);
        if (!isOwn) isForged[_signatureId(signed)] = true;
        if (_pick(2) == 0) kept.push(signed);
    }

    function _nearTop(address who) internal returns (uint256) {
        uint256 top = purses[INDEPENDENT][who].topNonce;
        if (_pick(8) == 0) return top + 60 + _pick(10);
        return _pick(2) == 0 || top < 70 ? top + 1 + _pick(3) : top - _pick(70);
    }

    function _signatureId(SignedPayment memory signed) private pure returns (bytes32) {
        return keccak256(abi.encode(signed.r, signed.vs));
    }

    function _walletRecord(IVault.Payment memory w, uint256 baseDeadline) private pure returns (bytes memory) {
        bytes memory terms = abi.encodePacked(uint48(w.amount), uint32(w.nonce), uint16(w.deadline - baseDeadline));
        return abi.encodePacked(terms, uint16(0), w.payer, w.orderRef, uint16(0));
    }
}
