// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @notice Pays one payee without letting the token or the sender spoil it for the others.
library Payout {
    uint256 internal constant GAS = 200_000;
    /// What must be left before a push, so that the token gets all of `GAS` although a call passes on at most 63/64
    /// (EIP-150), plus the call itself (2,600 cold) and the way there.
    uint256 internal constant GAS_NEEDED = (GAS * 64) / 63 + 5_000;

    /// @notice Calls `token.transfer(to, amount)` with `GAS`, and reads one word of its answer at most.
    /// @return paid False: nothing moved, the amount is still the vault's to credit
    /// @dev Reverts with GasShort rather than let a sender starve the token into a failure.
    function push(address token, address to, uint256 amount) internal returns (bool paid) {
        if (token.code.length == 0) return false;
        if (gasleft() < GAS_NEEDED) revert IVault.GasShort(gasleft(), GAS_NEEDED);
        bytes4 selector = IERC20.transfer.selector;
        // Solidity's call would copy all the token returns, at the vault's expense. Writes only the free memory above
        // the pointer and the scratch space. A token that answers nothing (USDT) has paid, one that answers must say 1.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, selector)
            mstore(add(free, 0x04), to)
            mstore(add(free, 0x24), amount)
            paid := call(GAS, token, 0, free, 0x44, 0x00, 0x20)
            if paid {
                paid := or(iszero(returndatasize()), and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1)))
            }
        }
    }
}
