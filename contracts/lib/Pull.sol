// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IPullSettler} from "../interfaces/IPullSettler.sol";

/// @notice Takes money out of a payer's wallet without letting the token or the sender spoil it for others. The token must
/// have code: that is checked once per batch.
library Pull {
    uint256 internal constant GAS = 200_000;
    /// What must be left before a call, so that the token gets all of `GAS` although a call passes on at most 63/64
    /// (EIP-150), plus the call itself and the way there.
    uint256 internal constant GAS_NEEDED = (GAS * 64) / 63 + 5_000;
    bytes32 private constant S_MASK = bytes32(type(uint256).max >> 1);

    /// @return moved False: nothing moved. A token that answers nothing (USDT) has moved, one that answers must say 1
    function transferFrom(address token, address from, address to, uint256 amount) internal returns (bool moved) {
        bool isYes;
        (moved, isYes) = _call(token, abi.encodeCall(IERC20.transferFrom, (from, to, amount)));
        moved = moved && isYes;
    }

    /// @param vs EIP-2098
    /// @return moved As far as the token says: it reverts otherwise. What it answers means nothing
    function receiveWithAuthorization(
        address token,
        address from,
        uint256 amount,
        uint256 validBefore,
        bytes32 nonce,
        bytes32 r,
        bytes32 vs
    ) internal returns (bool moved) {
        (uint8 v, bytes32 s) = _split(vs);
        (moved, ) = _call(
            token,
            abi.encodeCall(
                IERC3009.receiveWithAuthorization,
                (from, address(this), amount, 0, validBefore, nonce, v, r, s)
            )
        );
    }

    /// @notice Whether it worked shows when the allowance is used: anybody may have sent the same permit before.
    function permit(address token, address owner, uint256 value, uint256 deadline, bytes32 r, bytes32 vs) internal {
        (uint8 v, bytes32 s) = _split(vs);
        _call(token, abi.encodeCall(IERC20Permit.permit, (owner, address(this), value, deadline, v, r, s)));
    }

    /// @return done The token did not revert
    /// @return isYes Its answer is nothing, or begins with the word 1
    /// @dev Reverts with GasShort rather than let a sender starve the token.
    function _call(address token, bytes memory data) private returns (bool done, bool isYes) {
        if (gasleft() < GAS_NEEDED) revert IPullSettler.GasShort(gasleft(), GAS_NEEDED);
        // Solidity's call would copy all the token returns, at the sender's expense. Writes only the scratch space, and
        // gives back the memory of `data`, which nobody reads again: else it would grow with every record.
        assembly ("memory-safe") {
            done := call(GAS, token, 0, add(data, 0x20), mload(data), 0x00, 0x20)
            isYes := or(iszero(returndatasize()), and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1)))
            mstore(0x40, data)
        }
    }

    function _split(bytes32 vs) private pure returns (uint8 v, bytes32 s) {
        return (27 + uint8(uint256(vs) >> 255), vs & S_MASK);
    }
}
