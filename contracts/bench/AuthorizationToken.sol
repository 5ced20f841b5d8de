// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @notice The token of every scenario in `bench/gas`. A baseline: never deployed to production, anyone may mint.
/// @dev The parts of EIP-3009 that a facilitator and a receiver call, on OpenZeppelin's ERC-20. Unlike Circle's token it has no proxy, no
/// blocklist and no pause, so every call of it is cheaper than one of USDC.
contract AuthorizationToken is ERC20, EIP712 {
    /// @dev EIP-3009
    bytes32 public constant TRANSFER_WITH_AUTHORIZATION_TYPEHASH =
        keccak256(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );

    /// @dev EIP-3009
    bytes32 public constant RECEIVE_WITH_AUTHORIZATION_TYPEHASH =
        keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );

    mapping(address authorizer => mapping(bytes32 nonce => bool used)) public authorizationState;

    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);

    error AuthorizationNotYetValid(uint256 time, uint256 validAfter);
    error AuthorizationExpired(uint256 time, uint256 validBefore);
    error AuthorizationAlreadyUsed(address authorizer, bytes32 nonce);
    error WrongSigner(address recovered, address expected);
    error WrongCaller(address caller, address to);

    constructor() ERC20("Bench Dollar", "BENCH") EIP712("Bench Dollar", "1") {}

    function mint(address[] calldata holders, uint256 amount) external {
        for (uint256 i = 0; i < holders.length; i++) _mint(holders[i], amount);
    }

    /// @param validAfter Unix seconds, exclusive
    /// @param validBefore Unix seconds, exclusive
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _authorize(structHash, from, validAfter, validBefore, nonce, v, r, s);
        _transfer(from, to, value);
    }

    /// @notice The same, but only the receiver may call it.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        if (msg.sender != to) revert WrongCaller(msg.sender, to);
        bytes32 structHash = keccak256(
            abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _authorize(structHash, from, validAfter, validBefore, nonce, v, r, s);
        _transfer(from, to, value);
    }

    function _authorize(
        bytes32 structHash,
        address from,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) private {
        if (block.timestamp <= validAfter) revert AuthorizationNotYetValid(block.timestamp, validAfter);
        if (block.timestamp >= validBefore) revert AuthorizationExpired(block.timestamp, validBefore);
        if (authorizationState[from][nonce]) revert AuthorizationAlreadyUsed(from, nonce);
        address recovered = ECDSA.recover(_hashTypedDataV4(structHash), v, r, s);
        if (recovered != from) revert WrongSigner(recovered, from);
        authorizationState[from][nonce] = true;
        emit AuthorizationUsed(from, nonce);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
