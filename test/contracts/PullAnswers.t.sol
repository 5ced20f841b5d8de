// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RefusingSourceToken} from "../../contracts/test/HostileTokens.sol";
import {PullParts, PullTest} from "./base/PullTest.sol";
import {vm} from "./base/Vm.sol";

/// What a token may answer to a pull that it did not carry out, without spoiling it for the batch.
contract PullAnswersTest is PullTest {
    RefusingSourceToken private refusing;

    function setUp() public override {
        super.setUp();
        refusing = new RefusingSourceToken();
        _useAtHome(address(refusing));
    }

    function _pullOne(uint8 payout) private returns (bytes memory results) {
        PullParts memory b = _pullBatch(1, 0);
        b.payout = payout;
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        return _settlePull(b);
    }

    function test_ignores_aPullWhenTheTokenAnswersAnythingButOne() public {
        bytes[6] memory answers = [
            abi.encode(false),
            abi.encode(uint256(2)),
            abi.encode(type(uint256).max),
            bytes(hex"01"),
            bytes(hex"00000000000000000000000000000000000000000000000000000000000001"),
            abi.encodePacked(uint256(0), uint256(1))
        ];
        for (uint256 i = 0; i < answers.length; i++) {
            refusing.setAnswer(answers[i]);
            for (uint8 payout = 0; payout < 2; payout++) vm.assertEq(_pullOne(payout), hex"00", "nothing moved");
        }
        vm.assertFalse(settler.isNonceUsed(payer, address(token), 1), "the nonce is still open");
    }

    // 31 zero bytes over an old word that ends in 1, as the address of this token does, read as 1.
    function test_ignores_aPullWhenOldMemoryWouldCompleteAShortAnswer() public {
        address place = address(0xabcdef01);
        vm.etch(place, address(refusing).code);
        _useAtHome(place);
        RefusingSourceToken(place).setAnswer(new bytes(31));
        vm.assertEq(_pullOne(0), hex"00", "nothing moved");
    }

    function test_reverts_whenTheTokenSaysYesAndMovesNothing() public {
        bytes[2] memory answers = [bytes(""), abi.encodePacked(uint256(1), uint256(0))];
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        bytes memory blob = _encode(b);
        for (uint256 i = 0; i < answers.length; i++) {
            refusing.setAnswer(answers[i]);
            vm.prank(sender);
            vm.expectRevert(abi.encodeWithSelector(bytes4(keccak256("PullMismatch(uint256,uint256)")), 0, UNIT));
            settler.settlePull(blob);
        }
    }
}
