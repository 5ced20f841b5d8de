// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Accounts} from "./vault/Accounts.sol";
import {AuthorizedDeposits} from "./vault/AuthorizedDeposits.sol";
import {ChainedSettlement} from "./vault/ChainedSettlement.sol";
import {OverdueSettlement} from "./vault/OverdueSettlement.sol";
import {Roles} from "./vault/Roles.sol";
import {Settlement} from "./vault/Settlement.sol";

/// @title The settlement vault. Its documentation is `IVault`
/// @dev Immutable: no proxy, no delegatecall. Every function that calls a token holds the transient reentrancy lock, and
/// changes its books before the call. Each part below is one file; all of their storage is in `vault/Books.sol`.
contract Vault is Roles, Accounts, AuthorizedDeposits, Settlement, ChainedSettlement, OverdueSettlement {
    constructor(address initialOwner) EIP712("ICESettlement", "1") Ownable(initialOwner) {}

    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }
}
