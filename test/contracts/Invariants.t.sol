// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPullSettler} from "../../contracts/interfaces/IPullSettler.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {MoodyToken} from "../../contracts/test/MoodyToken.sol";
import {OddWallet} from "../../contracts/test/Wallets.sol";
import {ChainedParts, ChainedReference, SignedRun} from "./base/ChainedReference.sol";
import {BatchParts, PackedReference, SignedCancel, SignedPayment} from "./base/PackedReference.sol";
import {PullParts, PullTest, SignedPull} from "./base/PullTest.sol";
import {vm} from "./base/Vm.sol";

/// Random life in all modes at once: three payers and a contract wallet, three payees, an honest relayer and one that is not,
/// a token that blocks payees, burns gas and answers nonsense. The books kept here by the plain rules must always agree.
contract InvariantsTest is PullTest {
    uint256 private constant STEPS = 30;
    address private constant ROGUE = address(0x0906);
    /// A token may burn what a claim has.
    uint256 private constant CLAIM_GAS = 1_000_000;

    uint256[3] private keys = [uint256(0xA11CE), 0xB0B, 0xCA7];
    address[3] private payees = [payee, otherPayee, address(0xD00D)];
    MoodyToken private moody;
    OddWallet private wallet;
    uint256 private random;

    /// What was signed by the payer's own key, and what came of it.
    mapping(bytes32 digest => bool) private isSigned;
    mapping(bytes32 digest => uint256) private settled;
    /// By mode (0 independent, 1 chained, 2 pull), what each payer put in and signed away.
    mapping(uint256 mode => mapping(address => uint256)) private paidIn;
    mapping(uint256 mode => mapping(address => uint256)) private paidOut;
    uint256 private earned;

    function setUp() public override {
        super.setUp();
        moody = new MoodyToken();
        vm.prank(owner);
        vault.listToken(address(moody), 1, 0);
        token = moody;
        vm.prank(owner);
        vault.addRelayer(ROGUE, RELAYER_ID + 1);
        wallet = new OddWallet();
        wallet.setAnswer(abi.encode(bytes4(0x1626ba7e)), 0, false);
        for (uint256 i = 0; i < 4; i++) {
            address who = _who(i);
            _payIn(0, who, 1_000 * UNIT);
            if (i == 3) continue;
            _payIn(1, who, 1_000 * UNIT);
            moody.mint(who, 1_000 * UNIT);
            vm.prank(who);
            moody.approve(address(settler), type(uint256).max);
            paidIn[2][who] = 1_000 * UNIT;
        }
    }

    function test_holds_throughRandomLifeInAllModes(uint256 seed) public {
        random = seed;
        for (uint256 i = 0; i < STEPS; i++) {
            uint256 step = _pick(9);
            if (step < 2) _settleIndependent();
            else if (step < 4) _settleChainedRuns();
            else if (step < 6) _settlePulls();
            else if (step == 6) _payIn(_pick(2), vm.addr(keys[_pick(3)]), 1 + _pick(100 * UNIT));
            else if (step == 7) _claimAny();
            else _changeMood();
            vm.warp(block.timestamp + _pick(2 hours));
            _check();
        }
    }

    /// Solvency, conservation, and that nothing but a signature moved a payer's money.
    function _check() private view {
        uint256 owed;
        uint256 atPayees;
        for (uint256 i = 0; i < 3; i++) {
            atPayees += moody.balanceOf(payees[i]);
            atPayees += vault.credit(payees[i], address(moody)) + settler.credit(payees[i], address(moody));
            owed += vault.credit(payees[i], address(moody));
        }
        vm.assertEq(atPayees, earned, "payees have what was signed to them");
        for (uint256 i = 0; i < 4; i++) {
            address who = _who(i);
            uint256 independent = vault.accountOf(who, address(moody)).balance;
            uint256 chained = _chainedOf(who).balance;
            owed += independent + chained;
            vm.assertEq(independent, paidIn[0][who] - paidOut[0][who], "independent");
            vm.assertEq(chained, paidIn[1][who] - paidOut[1][who], "chained");
            if (i < 3) vm.assertEq(moody.balanceOf(who), paidIn[2][who] - paidOut[2][who], "at home");
        }
        vm.assertEq(moody.balanceOf(address(vault)), owed, "the vault holds what it owes");
        uint256 credits;
        for (uint256 i = 0; i < 3; i++) credits += settler.credit(payees[i], address(moody));
        vm.assertEq(moody.balanceOf(address(settler)), credits, "the settler holds what it owes");
    }

    /// Books one effect: signed, never settled before, and in the payer's own mode.
    function _book(uint256 mode, bytes32 digest, address who, uint256 amount) private {
        vm.assertTrue(isSigned[digest], "only what its payer signed takes effect");
        settled[digest] += 1;
        vm.assertEq(settled[digest], 1, "and once");
        paidOut[mode][who] += amount;
        earned += amount;
    }

    function _settleIndependent() private {
        uint256 count = 1 + _pick(4);
        BatchParts memory b = _allPayees(count);
        bytes32[] memory digests = new bytes32[](count + 1);
        for (uint256 i = 0; i < count; i++) {
            uint256 key = keys[_pick(3)];
            IVault.Payment memory p = _payment(_pick(200 * UNIT), 0);
            p.payer = vm.addr(key);
            p.nonce = vault.accountOf(p.payer, address(moody)).topNonce + _pick(4);
            uint256 index = _pick(3);
            p.payee = payees[index];
            uint256 signer = _pick(6) == 0 ? 0xBAD : key;
            digests[i] = _digest(p);
            if (signer == key) isSigned[digests[i]] = true;
            b.payments[i] = _sign(p, signer);
            b.payments[i].payeeIndex = uint16(index);
            // Half of the time the second is the first again.
            if (i == 1 && _pick(2) == 0) (b.payments[1], digests[1]) = (b.payments[0], digests[0]);
        }
        IVault.Payment memory w = _payment(1 + _pick(200 * UNIT), vault.accountOf(address(wallet), address(moody)).topNonce + 1);
        (w.payer, w.payee) = (address(wallet), payees[0]);
        digests[count] = _digest(w);
        bool isHonest = _pick(4) > 0;
        wallet.setAnswer(isHonest ? abi.encode(bytes4(0x1626ba7e)) : abi.encode(_pick(2) == 0), _pick(90_000), false);
        if (isHonest) isSigned[digests[count]] = true;
        b.version = 2;
        bytes memory record = abi.encodePacked(uint48(w.amount), uint32(w.nonce), uint16(w.deadline - b.baseDeadline));
        record = abi.encodePacked(record, uint16(0), w.payer, w.orderRef, uint16(0));
        bytes memory results = _send(address(vault), abi.encodeCall(vault.settle, (abi.encodePacked(PackedReference.encode(b), uint8(1), record))));
        for (uint256 i = 0; i < count; i++) {
            IVault.Payment memory p = b.payments[i].payment;
            if (_bit(results, i)) _book(0, digests[i], p.payer, p.amount);
        }
        if (_bit(results, count)) _book(0, digests[count], w.payer, w.amount);
    }

    function _settleChainedRuns() private {
        uint256 count = 1 + _pick(3);
        ChainedParts memory b;
        (b.version, b.token, b.scale, b.anchor) = (3, address(moody), 1, keccak256("anchor"));
        b.baseDeadline = uint40(block.timestamp);
        b.payees = _payeeList();
        b.runs = new SignedRun[](count);
        for (uint256 i = 0; i < count; i++) {
            b.runs[i] = _someRun(b.baseDeadline);
            b.paymentCount += b.runs[i].count;
        }
        bytes memory results = _send(address(vault), abi.encodeCall(vault.settleChained, (ChainedReference.encode(b))));
        for (uint256 i = 0; i < count; i++) {
            if (!_bit(results, i)) continue;
            for (uint256 j = 0; j < b.runs[i].count; j++) {
                IVault.ChainedPayment memory p = b.runs[i].payments[j];
                _book(1, _chainedDigest(p), p.payer, p.amount);
            }
        }
    }

    /// One to four payments from the head on; some runs are signed by another, some bend a payment after it was signed.
    function _someRun(uint256 baseDeadline) private returns (SignedRun memory run) {
        uint256 key = keys[_pick(3)];
        run.payer = vm.addr(key);
        run.count = uint16(1 + _pick(4));
        run.payments = new IVault.ChainedPayment[](run.count);
        run.payeeIndexes = new uint16[](run.count);
        IVault.ChainedAccount memory account = _chainedOf(run.payer);
        (uint256 sequence, bytes16 head) = (account.sequence, account.head);
        bool isOwn = _pick(5) > 0;
        for (uint256 i = 0; i < run.count; i++) {
            run.payeeIndexes[i] = uint16(_pick(3));
            run.payments[i] = IVault.ChainedPayment({
                payer: run.payer,
                payee: payees[run.payeeIndexes[i]],
                token: address(moody),
                amount: _pick(120 * UNIT),
                sequence: ++sequence,
                deadline: baseDeadline + _pick(12 hours),
                orderRef: bytes8(uint64(_pick(type(uint64).max))),
                previous: head
            });
            head = ChainedReference.link(run.payments[i], 1);
            if (isOwn) isSigned[_chainedDigest(run.payments[i])] = true;
        }
        (run.r, run.vs) = _compact(isOwn ? key : 0xBAD, _chainedDigest(run.payments[run.count - 1]));
        if (_pick(5) == 0) run.payments[_pick(run.count)].amount += 1;
    }

    function _settlePulls() private {
        uint256 count = 1 + _pick(4);
        PullParts memory b = _pullBatch(count, 0);
        b.payees = _payeeList();
        b.payout = uint8(_pick(2));
        bytes32[] memory digests = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            uint256 key = keys[_pick(3)];
            IPullSettler.PullPayment memory p = _pull(_pick(200 * UNIT), _pick(70));
            uint256 index = _pick(3);
            (p.payer, p.payee) = (vm.addr(key), payees[index]);
            uint256 signer = _pick(6) == 0 ? 0xBAD : key;
            digests[i] = _pullDigest(p);
            if (signer == key) isSigned[digests[i]] = true;
            b.allowances[i] = _signPull(p, signer);
            b.allowances[i].payeeIndex = uint16(index);
        }
        bytes memory results = _send(address(settler), abi.encodeCall(settler.settlePull, (_encode(b))));
        for (uint256 i = 0; i < count; i++) {
            IPullSettler.PullPayment memory p = b.allowances[i].payment;
            if (_bit(results, i)) _book(2, digests[i], p.payer, p.amount);
        }
    }

    /// From the honest relayer, or from the rogue one, to whom no account of the vault is bound. A batch that reverts has no
    /// effect, and what it leaves must still hold.
    function _send(address target, bytes memory data) private returns (bytes memory results) {
        bool isRogue = _pick(6) == 0;
        vm.prank(isRogue ? ROGUE : sender);
        (bool done, bytes memory answer) = target.call(data);
        if (!done) return "";
        results = abi.decode(answer, (bytes));
        if (!isRogue || target == address(settler)) return results;
        for (uint256 i = 0; i < results.length; i++) vm.assertEq(uint8(results[i]), 0, "a rogue settles nothing");
    }

    function _payIn(uint256 mode, address who, uint256 amount) private {
        moody.setMood(address(0), 0);
        moody.mint(who, amount);
        vm.prank(who);
        moody.approve(address(vault), amount);
        vm.prank(who);
        if (mode == 0) vault.deposit(address(moody), amount, RELAYER_ID);
        else vault.depositChained(address(moody), amount, RELAYER_ID);
        paidIn[mode][who] += amount;
    }

    function _claimAny() private {
        address who = payees[_pick(3)];
        (bool done, ) = _pick(2) == 0
            ? address(vault).call{gas: CLAIM_GAS}(abi.encodeCall(vault.claim, (who, address(moody))))
            : address(settler).call{gas: CLAIM_GAS}(abi.encodeCall(settler.claim, (who, address(moody))));
        done;
    }

    function _changeMood() private {
        moody.setMood(payees[_pick(3)], _pick(5));
        uint96 payoutMin = uint96(_pick(3) == 0 ? 100 * UNIT : 0);
        vm.prank(owner);
        vault.listToken(address(moody), 1, payoutMin);
    }

    function _allPayees(uint256 count) private view returns (BatchParts memory b) {
        b = _batch(count, 0);
        b.payees = _payeeList();
    }

    function _payeeList() private view returns (address[] memory list) {
        list = new address[](3);
        for (uint256 i = 0; i < 3; i++) list[i] = payees[i];
    }

    function _who(uint256 i) private view returns (address) {
        return i == 3 ? address(wallet) : vm.addr(keys[i]);
    }

    function _chainedOf(address who) private view returns (IVault.ChainedAccount memory) {
        return vault.chainedAccountOf(who, address(moody));
    }

    function _chainedDigest(IVault.ChainedPayment memory p) private view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "ChainedPayment(address payer,address payee,address token,uint256 amount,uint256 sequence,uint256 deadline,bytes8 orderRef,bytes16 previous)"
        );
        return _digest(keccak256(abi.encode(typeHash, p)));
    }

    function _bit(bytes memory results, uint256 index) private pure returns (bool) {
        return index / 8 < results.length && (uint8(results[index / 8]) >> (index % 8)) & 1 == 1;
    }

    function _pick(uint256 below) private returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % below;
    }
}
