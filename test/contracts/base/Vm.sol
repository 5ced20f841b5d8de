// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The cheatcodes that these tests use. Of npm's forge-std only a release without its own dependency exists, which
/// does not compile, so the interface is declared here.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function expectEmit(address emitter) external;
    function expectRevert(bytes calldata data) external;
    function expectRevert(bytes4 selector) external;
    /// @dev The optimizer takes block.timestamp for the same before and after a warp; this it must ask again.
    function getBlockTimestamp() external view returns (uint256);
    function getCode(string calldata artifact) external view returns (bytes memory);
    function getRecordedLogs() external returns (Log[] memory);
    function label(address account, string calldata name) external;
    function mockCall(address callee, bytes calldata data, bytes calldata answer) external;
    function prank(address sender) external;
    function recordLogs() external;
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function store(address account, bytes32 slot, bytes32 value) external;
    function toString(uint256 value) external pure returns (string memory);
    function warp(uint256 timestamp) external;

    function assertEq(uint256 actual, uint256 expected, string calldata why) external pure;
    function assertEq(address actual, address expected, string calldata why) external pure;
    function assertEq(bytes32 actual, bytes32 expected, string calldata why) external pure;
    function assertEq(bytes calldata actual, bytes calldata expected, string calldata why) external pure;
    function assertTrue(bool condition, string calldata why) external pure;
    function assertFalse(bool condition, string calldata why) external pure;
    function assertGe(uint256 actual, uint256 least, string calldata why) external pure;
    function assertLe(uint256 actual, uint256 most, string calldata why) external pure;
}

/// @dev From the build, so that the contract is not compiled into every test that uses it.
function deploy(string memory artifact, bytes memory arguments) returns (address deployed) {
    bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
    assembly ("memory-safe") {
        deployed := create(0, add(code, 0x20), mload(code))
    }
    vm.assertTrue(deployed != address(0), "deployed");
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
