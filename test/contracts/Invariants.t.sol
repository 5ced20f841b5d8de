// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "./base/Vm.sol";
import {Banking} from "./life/Banking.sol";
import {Chaining} from "./life/Chaining.sol";
import {Governing} from "./life/Governing.sol";
import {Paying} from "./life/Paying.sol";
import {Promising} from "./life/Promising.sol";
import {Pulling} from "./life/Pulling.sol";
import {World} from "./life/World.sol";

/// Random life in all modes at once. What every step should do follows from plain books of our own, and after every step both
/// contracts must agree with them to the last field and unit.
contract InvariantsTest is Chaining, Pulling, Banking, Governing, Promising {
    uint256 private constant STEPS = 30;

    function setUp() public override(World, Promising) {
        super.setUp();
    }

    function test_holds_throughRandomLifeInAllModes(uint256 seed) public {
        _seed(seed);
        _live(STEPS);
    }

    function test_holds_andHasEverythingHappenInALongLife() public {
        _seed(1);
        _live(50 * STEPS);
        string[18] memory all = [
            "payment",
            "cancel",
            "wallet payment",
            "run",
            "netted pull",
            "direct pull",
            "authorized pull",
            "deposit",
            "permitted deposit",
            "authorized deposit",
            "withdrawal",
            "request taken back",
            "rebind",
            "pause",
            "pause lifted",
            "claim",
            "promise kept",
            "payment by the rogue"
        ];
        for (uint256 i = 0; i < all.length; i++) vm.assertGe(happened[all[i]], 5, all[i]);
    }

    function _live(uint256 steps) private {
        for (uint256 i = 0; i < steps; i++) {
            _step(_pick(24));
            vm.warp(_now() + (_pick(4) == 0 ? _pick(20 hours) : _pick(1 hours)));
            _check();
        }
    }

    function _step(uint256 which) private {
        // A pause is short, and would hardly ever be lifted otherwise.
        if (which < 6 && _now() < pausedUntil) _pauseOrNot();
        else if (which < 5) _settlePayments();
        else if (which < 9) _settleRuns();
        else if (which < 12) _settlePulls();
        else if (which < 14) _depositSome();
        else if (which < 17) _withdrawSome();
        else if (which < 19) _rebindSome();
        else if (which == 19) _settleOverdue();
        else if (which == 20) _pauseOrNot();
        else if (which == 21) _changeRelayer();
        else if (which == 22) _claimSome();
        else if (_pick(2) == 0) _changeMood();
        else _changeListing();
    }
}
