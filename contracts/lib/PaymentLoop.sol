// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";
import {AccountWord} from "./AccountWord.sol";
import {
    BASE_DEADLINE,
    CHUNK_END,
    DEADLINE_AHEAD_MAX,
    DIGEST,
    END,
    PAYEE_SHIFT,
    PAYEES,
    PAYEES_LENGTH,
    RECORD,
    RECOVER,
    RELAYER_ID,
    SCALE,
    STRUCT,
    STRUCT_HASH
} from "./Frame.sol";
import {Packed, PAYMENT_BYTES} from "./Packed.sol";
import {Signature} from "./Signature.sol";
import {TypedData} from "./TypedData.sol";

/// @notice The payments of one batch. All that a payment costs beyond its signature check, its storage word and its
/// calldata is the block below, which is why it is one block. docs/gas.md says what each step gave.
library PaymentLoop {
    /// @param accounts Of the batch's token
    /// @param results Gets a bit per payment, from the first bit on
    /// @dev Needs `Frame.open`: writes the struct, the digest and the totals there.
    function settle(
        mapping(address => AccountWord) storage accounts,
        Packed.Batch memory batch,
        bytes memory results
    ) internal {
        bytes32 typeHash = TypedData.PAYMENT;
        bytes4 malformed = IVault.Malformed.selector;
        bytes4 gasShort = IVault.GasShort.selector;
        uint256 sEnd = Signature.S_MAX + 1;
        uint256 recoverGas = Signature.RECOVER_GAS;
        // Memory-safe: writes the scratch space, the frame, and inside `results`, whose memory is a whole number of words.
        // Calldata offsets follow from Packed.open. No arithmetic can wrap to harm: counters stay below 2^16, amounts
        // below 2^176, deadlines below 2^41, except where a comment says that it wraps on purpose.
        assembly ("memory-safe") {
            let pos := mload(add(batch, 0xe0))
            mstore(END, mload(add(batch, 0x100)))
            mstore(STRUCT, typeHash)
            mstore(add(STRUCT, 0x60), mload(batch))
            // The slot of accounts[payer] is the hash of payer, at 0x00, and the mapping's own slot, at 0x20.
            mstore(0x20, accounts.slot)

            // One word of the bitmap at a time: 256 payments.
            for { let word := add(results, 0x20) } lt(pos, mload(END)) { word := add(word, 0x20) } {
                mstore(CHUNK_END, add(pos, mul(256, PAYMENT_BYTES)))
                if gt(mload(CHUNK_END), mload(END)) { mstore(CHUNK_END, mload(END)) }
                let bits := 0
                for { let index := 0 } lt(pos, mload(CHUNK_END)) {
                    pos := add(pos, PAYMENT_BYTES)
                    index := add(index, 1)
                } {
                    // r 32 | vs 32 | amount 6 | nonce 4 | deadline delta 2 | payee index 2 | payer 20 | orderRef 8. One copy,
                    // after which every field is a word of memory and a shift away.
                    calldatacopy(RECORD, pos, PAYMENT_BYTES)
                    // The index times 64, by one shift and mask: the payee's place in the frame.
                    let payee := and(shr(234, mload(add(RECORD, 76))), 0x3fffc0)
                    if iszero(lt(payee, mload(PAYEES_LENGTH))) {
                        mstore(0x00, malformed)
                        mstore(0x04, "payee index")
                        mstore(0x24, shr(PAYEE_SHIFT, payee))
                        mstore(0x44, shr(PAYEE_SHIFT, mload(PAYEES_LENGTH)))
                        revert(0x00, 0x64)
                    }
                    payee := add(PAYEES, payee)
                    mstore(add(STRUCT, 0x40), mload(payee))
                    mstore(add(STRUCT, 0xe0), mload(add(RECORD, 98)))
                    {
                        let payer := shr(96, mload(add(RECORD, 78)))
                        mstore(add(STRUCT, 0x20), payer)
                        mstore(0x00, payer)
                    }
                    let slot := keccak256(0x00, 0x40)
                    let account := sload(slot)
                    let nonce := shr(224, mload(add(RECORD, 70)))
                    mstore(add(STRUCT, 0xa0), nonce)

                    // AccountWord.spend, without its bound of 2^32, which 4 bytes cannot pass.
                    let next
                    let top := and(shr(192, account), 0xffffffff)
                    switch gt(nonce, top)
                    case 0 {
                        let age := sub(top, nonce)
                        let bit := shl(age, 0x100000000000000000000000000000000)
                        next := mul(and(lt(age, 64), iszero(and(account, bit))), or(account, bit))
                    }
                    default {
                        let leap := sub(nonce, top)
                        let used := and(or(shl(leap, shr(128, account)), 1), 0xffffffffffffffff)
                        next := and(account, 0xffffffff000000000000000000000000ffffffffffffffffffffffffffffffff)
                        next := mul(lt(leap, 65), or(next, shl(128, or(shl(64, nonce), used))))
                    }

                    let amount := mul(shr(208, mload(add(RECORD, 64))), mload(SCALE))
                    mstore(add(STRUCT, 0x80), amount)
                    let deadline := add(shr(240, mload(add(RECORD, 74))), mload(BASE_DEADLINE))
                    mstore(add(STRUCT, 0xc0), deadline)
                    // Four conditions with one jump: the product is zero if one is. Each subtraction wraps to a huge number
                    // exactly where its condition fails: for an amount of zero, and for a deadline that has passed.
                    if iszero(
                        mul(
                            next,
                            and(
                                and(
                                    lt(sub(amount, 1), and(account, 0xffffffffffffffffffffffffffffffff)),
                                    eq(shr(224, account), mload(RELAYER_ID))
                                ),
                                lt(sub(deadline, timestamp()), add(DEADLINE_AHEAD_MAX, 1))
                            )
                        )
                    ) { continue }

                    mstore(STRUCT_HASH, keccak256(STRUCT, 0x100))
                    mstore(RECOVER, keccak256(DIGEST, 0x42))
                    let s := mload(add(RECOVER, 0x60))
                    mstore(add(RECOVER, 0x20), add(27, shr(255, s)))
                    s := and(s, 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff)
                    mstore(add(RECOVER, 0x60), s)
                    // The answer replaces the digest. Without one the digest stays, which is no address: its first 12 bytes
                    // are zero for nobody. For the same reason the payer zero cannot match.
                    let asked := staticcall(gas(), 1, RECOVER, 0x80, RECOVER, 0x20)
                    if iszero(and(eq(mload(RECOVER), mload(add(STRUCT, 0x20))), lt(s, sEnd))) {
                        // The precompile fails only for want of gas, and a sender must not turn good signatures into bad
                        // ones so.
                        if iszero(asked) {
                            mstore(0x00, gasShort)
                            mstore(0x04, gas())
                            mstore(0x24, recoverGas)
                            revert(0x00, 0x44)
                        }
                        continue
                    }
                    // The balance is the lowest part of the word and at least `amount`: no borrow can leave it.
                    sstore(slot, sub(next, amount))
                    let total := add(payee, 0x20)
                    mstore(total, add(mload(total), amount))
                    // Bit i of the bitmap is bit i % 8 of byte i / 8, and byte 0 is the highest of a word.
                    bits := or(bits, shl(xor(index, 0xf8), 1))
                }
                mstore(word, bits)
            }
        }
    }
}
