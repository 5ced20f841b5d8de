// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice Asks a contract wallet whether it signed, without letting it spoil the batch for others. @dev ERC-1271
library WalletSignature {
    uint256 internal constant GAS = 100_000;
    /// What must be left before the call, so that the wallet gets all of `GAS` although a call passes on at most 63/64
    /// (EIP-150), plus the call itself (2,600 cold) and the way there.
    uint256 internal constant GAS_NEEDED = (GAS * 64) / 63 + 5_000;

    /// @dev Reverts with GasShort rather than let a sender starve the wallet into a refusal.
    function isValid(address wallet, bytes32 digest, bytes calldata signature) internal view returns (bool valid) {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bytes32 yes = bytes32(IERC1271.isValidSignature.selector);
        if (gasleft() < GAS_NEEDED) revert IVault.GasShort(gasleft(), GAS_NEEDED);
        // Solidity's call would copy all the wallet returns, at the sender's expense. Writes only the scratch space. An
        // address without code answers nothing, which is no answer.
        assembly ("memory-safe") {
            valid := staticcall(GAS, wallet, add(question, 0x20), mload(question), 0x00, 0x20)
            valid := and(valid, and(gt(returndatasize(), 0x1f), eq(mload(0x00), yes)))
        }
    }
}
