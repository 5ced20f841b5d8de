// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../../contracts/demo/DemoToken.sol";
import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {MoodyToken} from "../../../contracts/test/MoodyToken.sol";
import {OddWallet} from "../../../contracts/test/Wallets.sol";
import {PullTest} from "../base/PullTest.sol";
import {vm} from "../base/Vm.sol";

uint256 constant INDEPENDENT = 0;
uint256 constant CHAINED = 1;

/// What an account should be, by the plain rules.
struct Purse {
    uint256 balance;
    uint32 relayerId;
    uint32 pendingRelayerId;
    uint256 pendingAt;
    uint256 withdrawAmount;
    uint256 unlockAt;
    uint256 topNonce;
    uint256 sequence;
    bytes16 head;
}

/// @notice Three payers and a contract wallet, three payees, an honest relayer and a rogue one, a token of changing moods, and
/// books of our own, which must agree with both contracts after every step.
abstract contract World is PullTest {
    address internal constant ROGUE = address(0x0906);
    uint32 internal constant ROGUE_ID = RELAYER_ID + 1;
    /// The token may burn what a call has.
    uint256 internal constant CALL_GAS = 1_000_000;

    uint256[3] internal keys = [uint256(0xA11CE), 0xB0B, 0xCA7];
    address[3] internal payees = [payee, otherPayee, address(0xD00D)];
    MoodyToken internal moody;
    OddWallet internal wallet;
    uint256 private random;

    mapping(uint256 mode => mapping(address => Purse)) internal purses;
    mapping(address => uint256) internal home;
    mapping(address => mapping(uint256 nonce => bool)) internal isSpent;
    mapping(bytes32 digest => bool) internal isSettled;
    uint256 internal earned;
    uint256 internal pausedUntil;
    uint256 internal pauseAllowedAt;
    bool internal isListed = true;
    mapping(address sender => uint32) internal idOf;
    /// How often something took effect: a life in which nothing happens proves nothing.
    mapping(string what => uint256) internal happened;

    function setUp() public virtual override {
        super.setUp();
        moody = new MoodyToken();
        token = DemoToken(address(moody));
        wallet = new OddWallet();
        vm.prank(owner);
        vault.listToken(address(moody), 1, 0);
        vm.prank(owner);
        vault.addRelayer(ROGUE, ROGUE_ID);
        (idOf[sender], idOf[ROGUE]) = (RELAYER_ID, ROGUE_ID);
        for (uint256 i = 0; i < 4; i++) {
            address who = _who(i);
            _earnAtHome(who, 3_000 * UNIT);
            vm.prank(who);
            moody.approve(address(settler), type(uint256).max);
            for (uint256 mode = 0; mode < 2; mode++) _putIn(mode, who, 1_000 * UNIT);
        }
    }

    function _putIn(uint256 mode, address who, uint256 amount) private {
        vm.prank(who);
        moody.approve(address(vault), amount);
        vm.prank(who);
        if (mode == INDEPENDENT) vault.deposit(address(moody), amount, RELAYER_ID);
        else vault.depositChained(address(moody), amount, RELAYER_ID);
        home[who] -= amount;
        purses[mode][who].balance += amount;
        purses[mode][who].relayerId = RELAYER_ID;
    }

    function _earnAtHome(address who, uint256 amount) internal {
        moody.mint(who, amount);
        home[who] += amount;
    }

    /// Solvency, conservation, and that every account is what its owner, by calls and signatures, made it.
    function _check() internal view {
        uint256 owed;
        uint256 settlerOwes;
        uint256 atPayees;
        for (uint256 i = 0; i < 3; i++) {
            owed += vault.credit(payees[i], address(moody));
            settlerOwes += settler.credit(payees[i], address(moody));
            atPayees += moody.balanceOf(payees[i]);
        }
        vm.assertEq(atPayees + owed + settlerOwes, earned, "payees have what was signed to them");
        for (uint256 i = 0; i < 4; i++) {
            address who = _who(i);
            _checkIndependent(who, purses[INDEPENDENT][who]);
            _checkChained(who, purses[CHAINED][who]);
            vm.assertEq(moody.balanceOf(who), home[who], "at home");
            owed += purses[INDEPENDENT][who].balance + purses[CHAINED][who].balance;
        }
        vm.assertEq(moody.balanceOf(address(vault)), owed, "the vault holds what it owes");
        vm.assertEq(moody.balanceOf(address(settler)), settlerOwes, "the settler holds what it owes");
    }

    function _checkIndependent(address who, Purse memory purse) private view {
        IVault.Account memory account = vault.accountOf(who, address(moody));
        vm.assertEq(account.balance, purse.balance, "independent balance");
        vm.assertEq(account.topNonce, purse.topNonce, "top nonce");
        vm.assertEq(account.relayerId, purse.relayerId, "relayer");
        vm.assertEq(account.withdrawAmount, purse.withdrawAmount, "asked for");
        vm.assertEq(account.withdrawUnlockAt, purse.unlockAt, "unlocks at");
        vm.assertEq(account.pendingRelayerId, purse.pendingRelayerId, "pending relayer");
        vm.assertEq(account.pendingEffectiveAt, purse.pendingAt, "pending at");
    }

    function _checkChained(address who, Purse memory purse) private view {
        IVault.ChainedAccount memory account = vault.chainedAccountOf(who, address(moody));
        vm.assertEq(account.balance, purse.balance, "chained balance");
        vm.assertEq(account.sequence, purse.sequence, "sequence");
        vm.assertEq(bytes32(account.head), bytes32(purse.head), "head");
        vm.assertEq(account.relayerId, purse.relayerId, "chained relayer");
        vm.assertEq(account.withdrawAmount, purse.withdrawAmount, "chained asked for");
        vm.assertEq(account.withdrawUnlockAt, purse.unlockAt, "chained unlocks at");
        vm.assertEq(account.pendingRelayerId, purse.pendingRelayerId, "chained pending relayer");
        vm.assertEq(account.pendingEffectiveAt, purse.pendingAt, "chained pending at");
    }

    /// From the honest relayer, or from the rogue one. A batch reverts if nobody may settle now, and for nothing else.
    /// @param mayRevert The token may lie to the settler
    function _send(
        address target,
        bytes memory data,
        bool mayRevert
    ) internal returns (uint32 relayerId, bytes memory results) {
        address from = _pick(4) == 0 ? ROGUE : sender;
        vm.prank(from);
        (bool done, bytes memory answer) = target.call(data);
        bool isRunning = idOf[from] != 0 && _now() >= pausedUntil;
        vm.assertTrue(done ? isRunning : !isRunning || mayRevert, "a batch takes effect if one may");
        return (done ? idOf[from] : 0, done ? abi.decode(answer, (bytes)) : bytes(""));
    }

    /// @return done False: undone, and the books stay as they are
    function _try(address who, address target, bytes memory data) internal returns (bool done) {
        vm.prank(who);
        (done, ) = target.call{gas: CALL_GAS}(data);
    }

    function _isOpen(address who, uint256 nonce) internal view returns (bool) {
        uint256 top = purses[INDEPENDENT][who].topNonce;
        return !isSpent[who][nonce] && nonce + 64 > top && nonce <= top + 64;
    }

    function _spend(address who, uint256 nonce) internal {
        isSpent[who][nonce] = true;
        if (nonce > purses[INDEPENDENT][who].topNonce) purses[INDEPENDENT][who].topNonce = nonce;
    }

    /// Books a payment that took effect.
    function _bookOnce(bytes32 digest, uint256 amount) internal {
        vm.assertFalse(isSettled[digest], "once");
        isSettled[digest] = true;
        earned += amount;
    }

    function _isInTime(uint256 deadline) internal view returns (bool) {
        return deadline >= _now() && deadline - _now() <= 12 hours;
    }

    function _payeeList() internal view returns (address[] memory list) {
        list = new address[](3);
        for (uint256 i = 0; i < 3; i++) list[i] = payees[i];
    }

    function _who(uint256 i) internal view returns (address) {
        return i == 3 ? address(wallet) : vm.addr(keys[i]);
    }

    function _now() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function _bit(bytes memory results, uint256 index) internal pure returns (bool) {
        return index / 8 < results.length && (uint8(results[index / 8]) >> (index % 8)) & 1 == 1;
    }

    function _seed(uint256 seed) internal {
        random = seed;
    }

    function _pick(uint256 below) internal returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % below;
    }
}
