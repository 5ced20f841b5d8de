// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPullSettler} from "../../../contracts/interfaces/IPullSettler.sol";
import {AuthorizingToken} from "../../../contracts/test/AuthorizingToken.sol";
import {DemoToken} from "../../../contracts/demo/DemoToken.sol";
import {VaultTest} from "./VaultTest.sol";
import {deploy, vm} from "./Vm.sol";

struct SignedPull {
    IPullSettler.PullPayment payment;
    uint16 payeeIndex;
    bytes32 r;
    bytes32 vs;
}

struct SignedPermit {
    address owner;
    uint256 value;
    uint256 deadline;
    bytes32 r;
    bytes32 vs;
}

struct PullParts {
    uint8 version;
    address token;
    uint40 baseDeadline;
    bytes32 anchor;
    uint8 payout;
    address[] payees;
    SignedPermit[] permits;
    SignedPull[] allowances;
    SignedPull[] authorizations;
}

/// @notice A pull settler beside the vault, and a payer with 1,000 tokens of a listed token at home, all of which the settler
/// may take. Signs and packs without the code under test.
abstract contract PullTest is VaultTest {
    uint256 internal constant OTHER_KEY = 0xB0B;
    IPullSettler internal settler;
    AuthorizingToken internal authorizing;

    function setUp() public virtual override {
        super.setUp();
        settler = IPullSettler(deploy("contracts/PullSettler.sol:PullSettler", abi.encode(address(vault))));
        authorizing = new AuthorizingToken();
        _useAtHome(address(authorizing));
    }

    /// Lists a token, and gives the payer 1,000 at home with all of it allowed.
    function _useAtHome(address newToken) internal {
        token = DemoToken(newToken);
        vm.prank(owner);
        vault.listToken(newToken, 1, 0);
        token.mint(payer, 1_000 * UNIT);
        vm.prank(payer);
        (bool done, ) = newToken.call(abi.encodeCall(token.approve, (address(settler), type(uint256).max)));
        vm.assertTrue(done, "approve");
    }

    function _pull(uint256 amount, uint256 nonce) internal view returns (IPullSettler.PullPayment memory) {
        return
            IPullSettler.PullPayment({
                payer: payer,
                payee: payee,
                token: address(token),
                amount: amount,
                nonce: nonce,
                deadline: block.timestamp + 1 hours,
                orderRef: bytes8(0x1122334455667788)
            });
    }

    function _pullDigest(IPullSettler.PullPayment memory p) internal view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("ICESettlement"),
                keccak256("1"),
                block.chainid,
                address(settler)
            )
        );
        bytes32 typeHash = keccak256(
            "PullPayment(address payer,address payee,address token,uint256 amount,uint256 nonce,uint256 deadline,bytes8 orderRef)"
        );
        return keccak256(abi.encodePacked(hex"1901", separator, keccak256(abi.encode(typeHash, p))));
    }

    function _signPull(
        IPullSettler.PullPayment memory p,
        uint256 key
    ) internal view returns (SignedPull memory signed) {
        signed.payment = p;
        (signed.r, signed.vs) = _compact(key, _pullDigest(p));
    }

    /// Signs it for the token, as EIP-3009 has it.
    function _authorize(
        IPullSettler.PullPayment memory p,
        uint256 key
    ) internal view returns (SignedPull memory signed) {
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 structHash = keccak256(
            abi.encode(typeHash, p.payer, address(settler), p.amount, 0, p.deadline + 1, _pullDigest(p))
        );
        signed.payment = p;
        (signed.r, signed.vs) = _compact(key, _tokenDigest(structHash));
    }

    function _tokenDigest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", authorizing.DOMAIN_SEPARATOR(), structHash));
    }

    function _pullBatch(uint256 allowances, uint256 authorizations) internal view returns (PullParts memory b) {
        b.version = 4;
        b.token = address(token);
        b.baseDeadline = uint40(block.timestamp);
        b.anchor = keccak256("anchor");
        b.payees = new address[](1);
        b.payees[0] = payee;
        b.permits = new SignedPermit[](0);
        b.allowances = new SignedPull[](allowances);
        b.authorizations = new SignedPull[](authorizations);
    }

    function _encode(PullParts memory b) internal pure returns (bytes memory blob) {
        blob = abi.encodePacked(
            b.version,
            b.token,
            b.baseDeadline,
            uint16(b.payees.length),
            uint16(b.allowances.length),
            uint16(b.authorizations.length),
            b.anchor,
            uint16(b.permits.length),
            b.payout
        );
        for (uint256 i = 0; i < b.payees.length; i++) blob = abi.encodePacked(blob, b.payees[i]);
        for (uint256 i = 0; i < b.permits.length; i++) {
            SignedPermit memory p = b.permits[i];
            blob = abi.encodePacked(blob, p.r, p.vs, p.owner, p.value, p.deadline);
        }
        for (uint256 i = 0; i < b.allowances.length; i++) blob = _append(blob, b, b.allowances[i]);
        for (uint256 i = 0; i < b.authorizations.length; i++) blob = _append(blob, b, b.authorizations[i]);
    }

    function _append(
        bytes memory blob,
        PullParts memory b,
        SignedPull memory signed
    ) private pure returns (bytes memory) {
        IPullSettler.PullPayment memory p = signed.payment;
        bytes memory terms = abi.encodePacked(
            uint48(p.amount),
            uint32(p.nonce),
            uint16(p.deadline - b.baseDeadline),
            signed.payeeIndex
        );
        return abi.encodePacked(blob, signed.r, signed.vs, terms, p.payer, p.orderRef);
    }

    function _settlePull(PullParts memory b) internal returns (bytes memory) {
        bytes memory blob = _encode(b);
        vm.prank(sender);
        return settler.settlePull(blob);
    }

    /// Settles one payment by allowance and says whether it took effect.
    function _pulled(SignedPull memory signed) internal returns (bool) {
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = signed;
        return _settlePull(b)[0] == 0x01;
    }

    /// The same by authorization.
    function _received(SignedPull memory signed) internal returns (bool) {
        PullParts memory b = _pullBatch(0, 1);
        b.authorizations[0] = signed;
        return _settlePull(b)[0] == 0x01;
    }
}
