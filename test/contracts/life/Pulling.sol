// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPullSettler} from "../../../contracts/interfaces/IPullSettler.sol";
import {PullParts, SignedPermit, SignedPull} from "../base/PullTest.sol";
import {vm} from "../base/Vm.sol";
import {World} from "./World.sol";

/// @notice Batches of pulls by allowance and by authorization, netted or direct, with permits, some of both forms of one payment.
abstract contract Pulling is World {
    mapping(address => mapping(uint256 nonce => bool)) private isPulled;
    mapping(address => uint256) private topPull;

    function _settlePulls() internal {
        PullParts memory b = _pullBatch(_pick(4), _pick(3));
        (b.token, b.payees, b.payout) = (address(moody), _payeeList(), uint8(_pick(2)));
        b.baseDeadline = uint40(_now() - 1 hours);
        for (uint256 i = 0; i < b.allowances.length; i++) b.allowances[i] = _somePull(false);
        for (uint256 i = 0; i < b.authorizations.length; i++) {
            // Now and then the same payment that stands in the batch already, in its other form.
            bool isTwin = i < b.allowances.length && _pick(4) == 0;
            b.authorizations[i] = isTwin ? _inOtherForm(b.allowances[i]) : _somePull(true);
        }
        if (_pick(3) == 0) {
            b.permits = new SignedPermit[](1);
            b.permits[0] = SignedPermit(_who(_pick(3)), _pick(100), _now() + 1, bytes32(_pick(100)), bytes32(_pick(100)));
        }
        // By authorization only the token's balance tells a lie, and that is then the whole batch's fault.
        bool mayRevert = b.authorizations.length > 0 && moody.mood() == 3 && moody.victim() == address(settler);
        bytes memory call = abi.encodeCall(settler.settlePull, (_encode(b)));
        (uint32 relayerId, bytes memory results) = _send(address(settler), call, mayRevert);
        if (relayerId == 0) return;
        for (uint256 i = 0; i < b.allowances.length + b.authorizations.length; i++) {
            bool isAllowance = i < b.allowances.length;
            SignedPull memory signed = isAllowance ? b.allowances[i] : b.authorizations[i - b.allowances.length];
            if (!_bit(results, i)) continue;
            _book(signed, isAllowance);
            happened[isAllowance ? (b.payout == 0 ? "netted pull" : "direct pull") : "authorized pull"]++;
        }
    }

    function _book(SignedPull memory signed, bool isAllowance) private {
        IPullSettler.PullPayment memory p = signed.payment;
        bytes32 expected = isAllowance ? _pullDigest(p) : _authorizationDigest(p);
        uint8 v = uint8(uint256(signed.vs) >> 255) + 27;
        bytes32 s = bytes32((uint256(signed.vs) << 1) >> 1);
        vm.assertEq(ecrecover(expected, v, signed.r, s), p.payer, "only what its payer signed");
        vm.assertTrue(_isInTime(p.deadline) && p.amount > 0, "in time, and not nothing");
        vm.assertFalse(isPulled[p.payer][p.nonce], "a nonce once");
        vm.assertTrue(p.nonce + 64 > topPull[p.payer] && p.nonce <= topPull[p.payer] + 64, "in the window");
        isPulled[p.payer][p.nonce] = true;
        if (p.nonce > topPull[p.payer]) topPull[p.payer] = p.nonce;
        home[p.payer] -= p.amount;
        _bookOnce(_pullDigest(p), p.amount);
    }

    function _somePull(bool isAuthorization) private returns (SignedPull memory signed) {
        uint256 key = keys[_pick(3)];
        IPullSettler.PullPayment memory p = _pull(_pick(300 * UNIT), 0);
        uint256 index = _pick(3);
        (p.payer, p.payee, p.token) = (vm.addr(key), payees[index], address(moody));
        p.nonce = topPull[p.payer] + _pick(4) + (_pick(10) == 0 ? 62 : 0);
        p.deadline = _now() - 10 minutes + _pick(13 hours);
        uint256 signer = _pick(6) == 0 ? 0xBAD : key;
        (signed.payment, signed.payeeIndex) = (p, uint16(index));
        (signed.r, signed.vs) = _compact(signer, isAuthorization ? _authorizationDigest(p) : _pullDigest(p));
    }

    function _inOtherForm(SignedPull memory allowance) private view returns (SignedPull memory signed) {
        (signed.payment, signed.payeeIndex) = (allowance.payment, allowance.payeeIndex);
        for (uint256 i = 0; i < 3; i++) {
            if (vm.addr(keys[i]) != signed.payment.payer) continue;
            (signed.r, signed.vs) = _compact(keys[i], _authorizationDigest(signed.payment));
        }
    }

    function _authorizationDigest(IPullSettler.PullPayment memory p) private view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 structHash = keccak256(
            abi.encode(typeHash, p.payer, address(settler), p.amount, 0, p.deadline + 1, _pullDigest(p))
        );
        return keccak256(abi.encodePacked(hex"1901", moody.DOMAIN_SEPARATOR(), structHash));
    }
}
