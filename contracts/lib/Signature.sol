// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice ecrecover without the twin: every payment has exactly one valid signature by its payer's key.
library Signature {
    /// Half the order of secp256k1, rounded down. @dev EIP-2
    uint256 internal constant S_MAX = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    /// What the precompile takes.
    uint256 internal constant RECOVER_GAS = 3_000;
    uint256 private constant S_MASK = 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff;

    /// @param vs EIP-2098: the y parity in the highest bit of s
    /// @return signer Zero if nobody's key made this signature
    function recover(bytes32 digest, bytes32 r, bytes32 vs) internal view returns (address signer) {
        bool asked;
        // Saves the ABI encoder and a jump. Writes the free memory above the pointer and the scratch word at 0, which is
        // zeroed before: the precompile returns nothing for an invalid signature, and an old word there would pass for a
        // signer. The result of a high s is multiplied away.
        assembly ("memory-safe") {
            let free := mload(0x40)
            let s := and(vs, S_MASK)
            mstore(free, digest)
            mstore(add(free, 0x20), add(27, shr(255, vs)))
            mstore(add(free, 0x40), r)
            mstore(add(free, 0x60), s)
            mstore(0x00, 0)
            asked := staticcall(gas(), 1, free, 0x80, 0x00, 0x20)
            signer := mul(mload(0x00), iszero(gt(s, S_MAX)))
        }
        // The precompile fails only for want of gas, and a sender must not turn good signatures into bad ones so.
        if (!asked) revert IVault.GasShort(gasleft(), RECOVER_GAS);
    }

    /// @notice The same for a signature of 65 bytes (v 27 or 28) or 64. Off the hot path, so left to OpenZeppelin.
    function recover(bytes32 digest, bytes calldata signature) internal pure returns (address signer) {
        if (signature.length == 64) {
            (signer, , ) = ECDSA.tryRecover(digest, bytes32(signature[0:32]), bytes32(signature[32:64]));
        } else {
            (signer, , ) = ECDSA.tryRecoverCalldata(digest, signature);
        }
    }
}
