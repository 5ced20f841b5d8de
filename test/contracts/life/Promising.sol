// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {vm} from "../base/Vm.sol";
import {INDEPENDENT} from "./World.sol";
import {Paying} from "./Paying.sol";

/// @notice Promises of the honest relayer, kept by anyone after their time; some are not overdue yet, not promises, or forged.
abstract contract Promising is Paying {
    uint256 private constant AUTHORITY_KEY = 0xA07;
    uint256 private constant SHORT_KEY = 0x5407;

    function setUp() public virtual override {
        super.setUp();
        vm.prank(owner);
        vault.setAcknowledger(RELAYER_ID, vm.addr(AUTHORITY_KEY));
    }

    function _settleOverdue() internal {
        uint256 key = keys[_pick(3)];
        IVault.Payment memory p = _payment(_pick(300 * UNIT), _nearTop(vm.addr(key)));
        (p.payer, p.payee, p.deadline) = (vm.addr(key), payees[_pick(3)], _now() + _pick(6 hours));
        bool isOwn = _pick(6) > 0;
        IVault.Acknowledgement memory a = IVault.Acknowledgement({
            paymentDigest: _digest(p),
            orderHash: 0,
            fee: 0,
            guarantee: uint8(_pick(6) > 0 ? 1 : 0),
            acceptedAt: _now() - 10 minutes,
            settleBy: _now() - 5 + _pick(7)
        });
        bool isDue = isOwn &&
            a.guarantee == 1 &&
            _now() > a.settleBy &&
            _now() >= pausedUntil &&
            purses[INDEPENDENT][p.payer].relayerId == RELAYER_ID;
        bytes memory call = _overdueCall(p, _full(isOwn ? key : 0xBAD, _digest(p)), a);
        bool done = _tryOverdue(call);
        vm.assertTrue(done == (isDue && _takesEffect(p, RELAYER_ID)), "a promise by the rules");
        if (!done) return;
        happened["promise kept"]++;
        vm.assertFalse(_tryOverdue(call), "kept once");
    }

    /// With more gas than other calls: it pays the payee.
    function _tryOverdue(bytes memory call) private returns (bool done) {
        vm.prank(stranger);
        (done, ) = address(vault).call{gas: 2 * CALL_GAS}(call);
    }

    /// In a tree of two leaves.
    function _overdueCall(
        IVault.Payment memory p,
        bytes memory signature,
        IVault.Acknowledgement memory a
    ) private view returns (bytes memory) {
        bytes32 leaf = keccak256(
            abi.encode(
                keccak256(
                    "Acknowledgement(bytes32 paymentDigest,bytes32 orderHash,uint256 fee,uint8 guarantee,uint256 acceptedAt,uint256 settleBy)"
                ),
                a
            )
        );
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = keccak256("sibling");
        bytes32 root = leaf < proof[0] ? keccak256(abi.encode(leaf, proof[0])) : keccak256(abi.encode(proof[0], leaf));
        bytes32 rootType = keccak256("AcknowledgementRoot(bytes32 root)");
        IVault.AcknowledgementKey memory k = IVault.AcknowledgementKey(
            RELAYER_ID,
            vm.addr(SHORT_KEY),
            _now() - 1 days,
            _now() + 1 days
        );
        bytes32 keyType = keccak256(
            "AcknowledgementKey(uint32 relayerId,address key,uint256 notBefore,uint256 notAfter)"
        );
        bytes memory rootSignature = _full(SHORT_KEY, _digest(keccak256(abi.encode(rootType, root))));
        bytes memory keySignature = _full(AUTHORITY_KEY, _digest(keccak256(abi.encode(keyType, k))));
        return abi.encodeCall(vault.settleOverdue, (p, signature, a, proof, rootSignature, k, keySignature));
    }
}
