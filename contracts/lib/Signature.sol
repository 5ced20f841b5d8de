// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";

/// @notice ecrecover without the twin: every payment has exactly one valid signature by its payer's key.
library Signature {
    /// Half the order of secp256k1, rounded down. @dev EIP-2
    uint256 internal constant S_MAX = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant S_MASK = type(uint256).max >> 1;

    /// @param vs EIP-2098: the y parity in the highest bit of s
    /// @return signer Zero if nobody's key made this signature
    function recover(bytes32 digest, bytes32 r, bytes32 vs) internal view returns (address signer) {
        uint256 s = uint256(vs) & S_MASK;
        if (s > S_MAX) return address(0);
        bool asked;
        // Saves the ABI encoder. Writes the free memory above the pointer and the scratch word at 0, which is zeroed
        // before: the precompile returns nothing for an invalid signature, and an old word there would pass for a signer.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, digest)
            mstore(add(free, 0x20), add(27, shr(255, vs)))
            mstore(add(free, 0x40), r)
            mstore(add(free, 0x60), s)
            mstore(0x00, 0)
            asked := staticcall(gas(), 1, free, 0x80, 0x00, 0x20)
            signer := mload(0x00)
        }
        // The precompile fails only for want of gas, and a sender must not turn good signatures into bad ones so.
        if (!asked) revert IVault.GasShort(gasleft(), 3_000);
    }

    /// @notice The same for a signature of 65 bytes (v 27 or 28) or 64.
    function recover(bytes32 digest, bytes calldata signature) internal view returns (address) {
        if (signature.length == 64) return recover(digest, bytes32(signature[0:32]), bytes32(signature[32:64]));
        if (signature.length != 65) return address(0);
        uint256 v = uint8(signature[64]);
        uint256 s = uint256(bytes32(signature[32:64]));
        if ((v != 27 && v != 28) || s > S_MAX) return address(0);
        return recover(digest, bytes32(signature[0:32]), bytes32(s | ((v - 27) << 255)));
    }
}
