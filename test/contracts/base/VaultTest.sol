// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../../contracts/demo/DemoToken.sol";
import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {BatchParts, PackedReference, SignedCancel, SignedPayment} from "./PackedReference.sol";
import {deploy, vm} from "./Vm.sol";

/// @notice The vault as tests call it. Not the contract itself: that would be compiled along with every test.
interface OwnedVault is IVault {
    function owner() external view returns (address);
    function transferOwnership(address newOwner) external;
    function acceptOwnership() external;
    function renounceOwnership() external;
}

/// @notice A vault with one token, one relayer and one payer who has 1,000 tokens in it. Signs and packs like a wallet
/// and a relayer would, without the code under test.
abstract contract VaultTest {
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint32 internal constant RELAYER_ID = 7;
    uint256 internal constant UNIT = 1e6;

    address internal immutable payer = vm.addr(PAYER_KEY);
    address internal constant owner = address(0x0123);
    address internal constant guardian = address(0x6A6A);
    address internal constant sender = address(0x5E5E);
    address internal constant payee = address(0xBEEF);
    address internal constant otherPayee = address(0xCAFE);
    address internal constant stranger = address(0xBAD);

    OwnedVault internal vault;
    DemoToken internal token;

    function setUp() public virtual {
        vm.warp(START);
        vault = OwnedVault(deploy("contracts/Vault.sol:Vault", abi.encode(owner)));
        token = new DemoToken("Demo Dollar", "DUSD", 6);
        vm.prank(owner);
        vault.setGuardian(guardian);
        vm.prank(owner);
        vault.addRelayer(sender, RELAYER_ID);
        _use(address(token));
    }

    /// Lists a token at scale 1 and gives the payer 1,000 in the vault.
    function _use(address newToken) internal {
        token = DemoToken(newToken);
        vm.prank(owner);
        vault.listToken(newToken, 1, 0);
        _deposit(payer, 1_000 * UNIT);
    }

    function _deposit(address who, uint256 amount) internal {
        _approve(who, amount);
        vm.prank(who);
        vault.deposit(address(token), amount, RELAYER_ID);
    }

    function _approve(address who, uint256 amount) internal {
        token.mint(who, amount);
        vm.prank(who);
        // Not through the ERC-20 interface: the silent token answers nothing.
        (bool done, ) = address(token).call(abi.encodeCall(token.approve, (address(vault), amount)));
        vm.assertTrue(done, "approve");
    }

    function _payment(uint256 amount, uint256 nonce) internal view returns (IVault.Payment memory) {
        return
            IVault.Payment({
                payer: payer,
                payee: payee,
                token: address(token),
                amount: amount,
                nonce: nonce,
                deadline: block.timestamp + 1 hours,
                orderRef: bytes8(0x1122334455667788)
            });
    }

    function _separator() internal view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                    keccak256("ICESettlement"),
                    keccak256("1"),
                    block.chainid,
                    address(vault)
                )
            );
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", _separator(), structHash));
    }

    function _digest(IVault.Payment memory p) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Payment(address payer,address payee,address token,uint256 amount,uint256 nonce,uint256 deadline,bytes8 orderRef)"
        );
        return
            _digest(
                keccak256(
                    abi.encode(typeHash, p.payer, p.payee, p.token, p.amount, p.nonce, p.deadline, p.orderRef)
                )
            );
    }

    function _compact(uint256 key, bytes32 digest) internal pure returns (bytes32 r, bytes32 vs) {
        (uint8 v, bytes32 first, bytes32 s) = vm.sign(key, digest);
        return (first, bytes32(uint256(s) | (uint256(v - 27) << 255)));
    }

    function _full(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _sign(IVault.Payment memory p, uint256 key) internal view returns (SignedPayment memory signed) {
        signed.payment = p;
        signed.units = uint48(p.amount);
        (signed.r, signed.vs) = _compact(key, _digest(p));
    }

    function _signCancel(
        uint256 key,
        uint256 nonce,
        uint256 deadline
    ) internal view returns (SignedCancel memory cancel) {
        bytes32 typeHash = keccak256("Cancel(address payer,address token,uint256 nonce,uint256 deadline)");
        address who = vm.addr(key);
        cancel.payer = who;
        cancel.nonce = uint32(nonce);
        cancel.deadline = uint40(deadline);
        (cancel.r, cancel.vs) = _compact(
            key,
            _digest(keccak256(abi.encode(typeHash, who, address(token), nonce, deadline)))
        );
    }

    function _batch(uint256 paymentCount, uint256 cancelCount) internal view returns (BatchParts memory b) {
        b.version = 1;
        b.token = address(token);
        b.baseDeadline = uint40(block.timestamp);
        b.anchor = keccak256("anchor");
        b.payees = new address[](1);
        b.payees[0] = payee;
        b.payments = new SignedPayment[](paymentCount);
        b.cancels = new SignedCancel[](cancelCount);
    }

    function _batchOf(SignedPayment memory signed) internal view returns (BatchParts memory b) {
        b = _batch(1, 0);
        b.payees[0] = signed.payment.payee;
        b.payments[0] = signed;
    }

    function _settle(BatchParts memory b) internal returns (bytes memory) {
        return _settleBlob(PackedReference.encode(b));
    }

    function _settleBlob(bytes memory blob) internal returns (bytes memory) {
        vm.prank(sender);
        return vault.settle(blob);
    }

    /// Settles one payment by the payer and says whether it took effect.
    function _settleOne(IVault.Payment memory p) internal returns (bool) {
        return _tookEffect(_batchOf(_sign(p, PAYER_KEY)));
    }

    function _tookEffect(BatchParts memory b) internal returns (bool) {
        bytes memory results = _settle(b);
        vm.assertEq(results.length, 1, "one byte of results");
        vm.assertLe(uint8(results[0]), 1, "no bit without a record");
        return results[0] == 0x01;
    }

    function _balance() internal view returns (uint256) {
        return vault.accountOf(payer, address(token)).balance;
    }

    function _expectRevert(bytes memory data) internal {
        vm.expectRevert(data);
    }
}
