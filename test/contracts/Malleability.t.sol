// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignedRun} from "./base/ChainedReference.sol";
import {ChainedTest} from "./base/ChainedTest.sol";
import {SignedPayment} from "./base/PackedReference.sol";
import {vm} from "./base/Vm.sol";

/// Finding 3, where no real signature can reach it: in 64 bytes s has 255 bits, and nobody finds a message whose s lies between
/// half the curve's order and 2^255. So the precompile is made to say yes to such an s, and must not be believed.
contract MalleabilityTest is ChainedTest {
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    function _precompileSaysYes(bytes32 digest, uint8 v, bytes32 r, uint256 s) private {
        vm.mockCall(address(1), abi.encode(digest, v, r, s), abi.encode(payer));
    }

    function test_ignores_aPaymentWithAnSAboveHalfTheOrder() public {
        SignedPayment memory signed = _sign(_payment(UNIT, 1), PAYER_KEY);
        signed.vs = bytes32(HALF_ORDER + 1);
        _precompileSaysYes(_digest(signed.payment), 27, signed.r, HALF_ORDER + 1);
        vm.assertFalse(_tookEffect(_batchOf(signed)), "above half");
        signed.vs = bytes32(HALF_ORDER);
        _precompileSaysYes(_digest(signed.payment), 27, signed.r, HALF_ORDER);
        vm.assertTrue(_tookEffect(_batchOf(signed)), "half");
    }

    function test_ignores_aRunWithAnSAboveHalfTheOrder() public {
        SignedRun memory run = _signRun(_run(PAYER_KEY, 2), PAYER_KEY);
        bytes32 digest = _digest(run.payments[1]);
        run.vs = bytes32((HALF_ORDER + 1) | (1 << 255));
        _precompileSaysYes(digest, 28, run.r, HALF_ORDER + 1);
        vm.assertFalse(_runTookEffect(run), "above half");
        run.vs = bytes32(HALF_ORDER | (1 << 255));
        _precompileSaysYes(digest, 28, run.r, HALF_ORDER);
        vm.assertTrue(_runTookEffect(run), "half");
    }
}
