// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";
import {ChainedWord} from "./ChainedWord.sol";
import {
    BASE_DEADLINE,
    DEADLINE_AHEAD_MAX,
    DIGEST,
    END,
    LEFT,
    LINK,
    NEXT,
    PAYEE_SHIFT,
    PAYEES,
    PAYEES_LENGTH,
    RECORD,
    RECOVER,
    RELAYER_ID,
    SCALE,
    SLOT,
    STRUCT,
    STRUCT_HASH
} from "./Frame.sol";
import {LINK_BYTES, PackedChained, RUN_BYTES} from "./PackedChained.sol";
import {Signature} from "./Signature.sol";
import {TypedData} from "./TypedData.sol";

/// @notice The runs of one chained batch. A run is all of one payer's payments in it, bound to each other by their links
/// and to the payer by one signature over the last: it takes effect as a whole or not at all.
library ChainedLoop {
    /// @param accounts Of the batch's token
    /// @param results Gets a bit per run
    /// @dev Needs `Frame.open`. The totals it leaves there are in packed units: atomic ones through the scale.
    function settle(
        mapping(address => ChainedWord) storage accounts,
        PackedChained.Batch memory batch,
        bytes memory results
    ) internal {
        bytes32 typeHash = TypedData.CHAINED_PAYMENT;
        bytes4 malformed = IVault.Malformed.selector;
        bytes4 gasShort = IVault.GasShort.selector;
        uint256 sEnd = Signature.S_MAX + 1;
        uint256 recoverGas = Signature.RECOVER_GAS;
        // Memory-safe: writes the scratch space, the frame, and single bytes inside `results`. Calldata offsets follow from
        // PackedChained.open and from the check of each run's count. Sums of packed units stay below 2^64, amounts below
        // 2^192, deadlines below 2^41; where something wraps on purpose a comment says so.
        assembly ("memory-safe") {
            function fault(selector, what, actual, expected) {
                mstore(0x00, selector)
                mstore(0x04, what)
                mstore(0x24, actual)
                mstore(0x44, expected)
                revert(0x00, 0x64)
            }

            let pos := mload(add(batch, 0xe0))
            mstore(LEFT, mload(add(batch, 0x80)))
            mstore(STRUCT, typeHash)
            mstore(add(STRUCT, 0x60), mload(batch))
            // The slot of accounts[payer] is the hash of payer, at 0x00, and the mapping's own slot, at 0x20.
            mstore(0x20, accounts.slot)

            for { let run := 0 } lt(run, mload(add(batch, 0x60))) { run := add(run, 1) } {
                // r 32 | vs 32 | payer 20 | count 2, then the payments.
                calldatacopy(RECORD, pos, RUN_BYTES)
                pos := add(pos, RUN_BYTES)
                mstore(add(STRUCT, 0x20), shr(96, mload(add(RECORD, 64))))
                mstore(0x00, mload(add(STRUCT, 0x20)))
                mstore(SLOT, keccak256(0x00, 0x40))
                let account := sload(mload(SLOT))
                let count := shr(240, mload(add(RECORD, 84)))
                // Wraps for a count of zero: a run without payments would have nothing to verify.
                if iszero(lt(sub(count, 1), mload(LEFT))) { fault(malformed, "run", count, mload(LEFT)) }
                mstore(LEFT, sub(mload(LEFT), count))
                // From here on `account` is a head: the highest 16 bytes of the word, later those of the last link.
                // Sequence, relayer and balance fields: what the word becomes but for its head, before the sum is taken off.
                mstore(NEXT, add(and(account, 0xffffffffffffffffffffffffffffffff), shl(104, count)))
                // Zero while the run may still take effect. The relayer must be the bound one; the sequence must fit 24 bits.
                let fail := or(
                    xor(and(shr(88, account), 0xffff), mload(RELAYER_ID)),
                    shr(128, mload(NEXT))
                )
                mstore(END, add(pos, mul(count, LINK_BYTES)))

                let sum := 0
                for { } 1 { } {
                    // deadline delta 2 | payee index 2 | amount 6 | orderRef 8
                    // Its last 14 bytes are already where the link wants them.
                    calldatacopy(add(LINK, 21), pos, LINK_BYTES)
                    let record := mload(add(LINK, 21))
                    // The index times 64, by one shift and mask: the payee's place in the frame.
                    let payee := and(shr(218, record), 0x3fffc0)
                    if iszero(lt(payee, mload(PAYEES_LENGTH))) {
                        fault(malformed, "payee index", shr(PAYEE_SHIFT, payee), shr(PAYEE_SHIFT, mload(PAYEES_LENGTH)))
                    }
                    payee := add(payee, PAYEES)
                    let deadline := add(shr(240, record), mload(BASE_DEADLINE))
                    let units := and(shr(176, record), 0xffffffffffff)
                    // The subtraction wraps to a huge number for a deadline that has passed.
                    fail := or(fail, or(iszero(units), gt(sub(deadline, timestamp()), DEADLINE_AHEAD_MAX)))
                    sum := add(sum, units)
                    // The link: deadline 5 | payee 20 | amount 6 | orderRef 8 | previous 16. The first write ends in front
                    // of what was copied.
                    mstore(sub(LINK, 7), or(shl(160, deadline), mload(payee)))
                    mstore(add(LINK, 39), account)
                    account := keccak256(LINK, 55)
                    // Taken back below if the run fails.
                    payee := add(payee, 0x20)
                    mstore(payee, add(mload(payee), units))

                    pos := add(pos, LINK_BYTES)
                    if iszero(lt(pos, mload(END))) { break }
                }
                sum := mul(sum, mload(SCALE))
                if iszero(or(fail, gt(sum, and(mload(NEXT), 0xffffffffffffffffffffff)))) {
                    // The last payment, once more, as what its payer signed.
                    let record := calldataload(sub(pos, LINK_BYTES))
                    mstore(add(STRUCT, 0x40), mload(add(PAYEES, shl(PAYEE_SHIFT, and(shr(224, record), 0xffff)))))
                    mstore(add(STRUCT, 0x80), mul(and(shr(176, record), 0xffffffffffff), mload(SCALE)))
                    mstore(add(STRUCT, 0xa0), and(shr(104, mload(NEXT)), 0xffffff))
                    mstore(add(STRUCT, 0xc0), add(shr(240, record), mload(BASE_DEADLINE)))
                    mstore(add(STRUCT, 0xe0), and(shl(80, record), not(shr(64, not(0)))))
                    mstore(add(STRUCT, 0x100), and(mload(add(LINK, 39)), not(shr(128, not(0)))))
                    mstore(STRUCT_HASH, keccak256(STRUCT, 0x120))
                    mstore(RECOVER, keccak256(DIGEST, 0x42))
                    let s := mload(add(RECOVER, 0x60))
                    mstore(add(RECOVER, 0x20), add(27, shr(255, s)))
                    s := and(s, 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff)
                    mstore(add(RECOVER, 0x60), s)
                    // As in PaymentLoop: without an answer the digest stays, which is nobody's address.
                    let asked := staticcall(gas(), 1, RECOVER, 0x80, RECOVER, 0x20)
                    if and(eq(mload(RECOVER), mload(add(STRUCT, 0x20))), lt(s, sEnd)) {
                        // The balance is the lowest part of the word and at least `sum`: no borrow can leave it.
                        sstore(mload(SLOT), or(and(account, not(shr(128, not(0)))), sub(mload(NEXT), sum)))
                        let at := add(add(results, 0x20), shr(3, run))
                        mstore8(at, or(byte(0, mload(at)), shl(and(run, 7), 1)))
                        continue
                    }
                    // The precompile fails only for want of gas, and a sender must not turn good signatures into bad ones.
                    if iszero(asked) {
                        mstore(0x00, gasShort)
                        mstore(0x04, gas())
                        mstore(0x24, recoverGas)
                        revert(0x00, 0x44)
                    }
                }
                // Nothing of the run takes effect: its payments leave the totals again.
                for { let at := sub(pos, mul(LINK_BYTES, shr(240, mload(add(RECORD, 84))))) } lt(at, pos) {
                    at := add(at, LINK_BYTES)
                } {
                    let record := calldataload(at)
                    let payee := add(add(PAYEES, 0x20), shl(PAYEE_SHIFT, and(shr(224, record), 0xffff)))
                    mstore(payee, sub(mload(payee), and(shr(176, record), 0xffffffffffff)))
                }
            }
            if mload(LEFT) {
                fault(malformed, "payments", sub(mload(add(batch, 0x80)), mload(LEFT)), mload(add(batch, 0x80)))
            }
        }
    }
}
