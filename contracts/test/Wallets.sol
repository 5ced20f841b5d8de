// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

// Contract wallets, honest and hostile, so that tests can show what the vault does about them.

/// @notice Signs what its owner signed, and can call anything, so that it can deposit.
contract OwnedWallet is IERC1271 {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes memory signature) public view virtual returns (bytes4) {
        (address recovered, , ) = ECDSA.tryRecover(hash, signature);
        return recovered == owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    function execute(address target, bytes calldata data) external returns (bytes memory answer) {
        bool done;
        (done, answer) = target.call(data);
        require(done, string(answer));
    }
}

/// @notice Answers any bytes, after burning some gas.
contract OddWallet is OwnedWallet(address(1)) {
    bytes public answer;
    uint256 public appetite;
    bool public reverts;

    function setAnswer(bytes calldata newAnswer, uint256 gasAmount, bool isRevert) external {
        (answer, appetite, reverts) = (newAnswer, gasAmount, isRevert);
    }

    function isValidSignature(bytes32, bytes memory) public view override returns (bytes4) {
        uint256 start = gasleft();
        while (start - gasleft() < appetite) {}
        (bytes memory data, bool isRevert) = (answer, reverts);
        assembly ("memory-safe") {
            if isRevert {
                revert(add(data, 0x20), mload(data))
            }
            return(add(data, 0x20), mload(data))
        }
    }
}

/// @notice Says no at once, and cheaply, unless it gets all the gas a wallet may have: what a starving sender would have to
/// find.
contract PickyWallet is OwnedWallet(address(1)) {
    function isValidSignature(bytes32, bytes memory) public view override returns (bytes4) {
        return gasleft() < 99_000 ? bytes4(0xffffffff) : IERC1271.isValidSignature.selector;
    }
}

/// @notice Burns all the gas it gets.
contract BurningWallet is OwnedWallet(address(1)) {
    function isValidSignature(bytes32, bytes memory) public pure override returns (bytes4) {
        assembly ("memory-safe") {
            invalid()
        }
    }
}

/// @notice Says yes to everything, with about as many bytes behind it as its gas affords.
contract BombWallet is OwnedWallet(address(1)) {
    function isValidSignature(bytes32, bytes memory) public pure override returns (bytes4) {
        bytes4 yes = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            mstore(0x00, yes)
            return(0x00, 190000)
        }
    }
}
