// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signature} from "../../contracts/lib/Signature.sol";
import {vm} from "./base/Vm.sol";

contract SignatureTest {
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function recover(bytes32 digest, bytes calldata signature) external view returns (address) {
        return Signature.recover(digest, signature);
    }

    function test_succeeds_inBothForms(uint128 key, bytes32 digest) public view {
        vm.assume(key != 0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        bytes32 vs = bytes32(uint256(s) | (uint256(v - 27) << 255));
        vm.assertEq(Signature.recover(digest, r, vs), vm.addr(key), "halves");
        vm.assertEq(this.recover(digest, abi.encodePacked(r, vs)), vm.addr(key), "64 bytes");
        vm.assertEq(this.recover(digest, abi.encodePacked(r, s, v)), vm.addr(key), "65 bytes");
    }

    // Finding 3: between half the order and 2^255 a high s fits the compact form, and ecrecover would take it.
    function test_refuses_anSAboveHalfTheOrder(bytes32 digest) public view {
        bytes32 r = bytes32(uint256(0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798));
        uint256 most = Signature.S_MAX;
        // With this r, a digest that equals s is signed by nobody: the key would be the point at infinity.
        vm.assume(uint256(digest) != most && uint256(digest) != most + 1);
        vm.assertTrue(Signature.recover(digest, r, bytes32(most)) != address(0), "the largest allowed");
        vm.assertTrue(ecrecover(digest, 27, r, bytes32(most + 1)) != address(0), "ecrecover takes one more");
        vm.assertEq(Signature.recover(digest, r, bytes32(most + 1)), address(0), "one more");
        vm.assertEq(this.recover(digest, abi.encodePacked(r, most + 1, uint8(27))), address(0), "65 bytes");
    }

    function test_refuses_theTwin(uint128 key, bytes32 digest) public view {
        vm.assume(key != 0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        bytes memory twin = abi.encodePacked(r, CURVE_ORDER - uint256(s), 27 + 28 - v);
        vm.assertEq(this.recover(digest, twin), address(0), "twin");
    }

    function test_refuses_everyOtherV(uint8 v, bytes32 digest) public view {
        vm.assume(v != 27 && v != 28);
        (, bytes32 r, bytes32 s) = vm.sign(1, digest);
        vm.assertEq(this.recover(digest, abi.encodePacked(r, s, v)), address(0), "v");
    }

    function test_refuses_everyOtherLength(uint8 length, bytes32 digest) public view {
        vm.assume(length != 64 && length != 65);
        vm.assertEq(this.recover(digest, new bytes(length)), address(0), "length");
    }
}
