// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {AuthorizingToken} from "../../contracts/test/AuthorizingToken.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

/// Deposits by EIP-3009 and by EIP-2612, into both modes.
contract AuthorizedDepositTest is VaultTest {
    uint256 private constant NEW_KEY = 0x4E3;
    address private immutable newPayer = vm.addr(NEW_KEY);
    AuthorizingToken private authorizing;

    function setUp() public override {
        super.setUp();
        authorizing = new AuthorizingToken();
        token = DemoToken(address(authorizing));
        vm.prank(owner);
        vault.listToken(address(token), 1, 0);
        authorizing.mint(newPayer, 100 * UNIT);
    }

    function _authorization(uint8 mode) private view returns (IVault.DepositAuthorization memory) {
        return IVault.DepositAuthorization(newPayer, address(token), mode, RELAYER_ID, keccak256("salt"));
    }

    function _nonce(IVault.DepositAuthorization memory d) private pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    keccak256("DepositAuthorization(address payer,address token,uint8 mode,uint32 relayerId,bytes32 salt)"),
                    d
                )
            );
    }

    function _tokenDigest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", authorizing.DOMAIN_SEPARATOR(), structHash));
    }

    /// What the new payer signs for the token, from START - 1 to START + 100, exclusive.
    function _signAuthorization(
        IVault.DepositAuthorization memory d,
        uint256 amount
    ) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        return
            vm.sign(
                NEW_KEY,
                _tokenDigest(
                    keccak256(
                        abi.encode(typeHash, newPayer, address(vault), amount, START - 1, START + 100, _nonce(d))
                    )
                )
            );
    }

    function _depositWith(IVault.DepositAuthorization memory d, uint256 amount, uint8 v, bytes32 r, bytes32 s) private {
        vm.prank(stranger);
        vault.depositWithAuthorization(d, amount, START - 1, START + 100, v, r, s);
    }

    function test_succeeds_byAuthorizationSentByAnyone() public {
        IVault.DepositAuthorization memory d = _authorization(0);
        (uint8 v, bytes32 r, bytes32 s) = _signAuthorization(d, 40 * UNIT);
        vm.expectEmit(address(vault));
        emit IVault.RelayerBound(newPayer, address(token), RELAYER_ID);
        vm.expectEmit(address(vault));
        emit IVault.Deposited(newPayer, address(token), 40 * UNIT, RELAYER_ID);
        _depositWith(d, 40 * UNIT, v, r, s);
        vm.assertEq(vault.accountOf(newPayer, address(token)).balance, 40 * UNIT, "credited to the signer");
        vm.assertEq(vault.accountOf(stranger, address(token)).balance, 0, "not to the sender");
        vm.assertEq(token.balanceOf(address(vault)), 40 * UNIT, "vault");
    }

    function test_succeeds_byAuthorizationIntoTheChainedAccount() public {
        IVault.DepositAuthorization memory d = _authorization(1);
        (uint8 v, bytes32 r, bytes32 s) = _signAuthorization(d, 40 * UNIT);
        _depositWith(d, 40 * UNIT, v, r, s);
        vm.assertEq(vault.chainedAccountOf(newPayer, address(token)).balance, 40 * UNIT, "chained");
        vm.assertEq(vault.accountOf(newPayer, address(token)).balance, 0, "independent");
    }

    function test_reverts_whenAnythingDiffersFromWhatWasAuthorized(uint8 field) public {
        IVault.DepositAuthorization memory d = _authorization(0);
        (uint8 v, bytes32 r, bytes32 s) = _signAuthorization(d, 40 * UNIT);
        uint256 amount = 40 * UNIT;
        field %= 5;
        if (field == 0) d.mode = 1;
        if (field == 1) d.relayerId = 8;
        if (field == 2) d.salt = 0;
        if (field == 3) d.payer = payer;
        if (field == 4) amount -= 1;
        authorizing.mint(payer, amount);
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        _depositWith(d, amount, v, r, s);
    }

    function test_reverts_whenAnAuthorizationIsUsedAgain() public {
        IVault.DepositAuthorization memory d = _authorization(0);
        (uint8 v, bytes32 r, bytes32 s) = _signAuthorization(d, 40 * UNIT);
        _depositWith(d, 40 * UNIT, v, r, s);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, newPayer, _nonce(d)));
        _depositWith(d, 40 * UNIT, v, r, s);
    }

    // Finding 9: nobody can carry out the authorization past the vault and leave money there that is nobody's.
    function test_reverts_whenAStrangerCarriesOutTheAuthorization() public {
        IVault.DepositAuthorization memory d = _authorization(0);
        (uint8 v, bytes32 r, bytes32 s) = _signAuthorization(d, 40 * UNIT);
        vm.prank(stranger);
        (bool done, ) = address(token).call(
            abi.encodeCall(
                authorizing.receiveWithAuthorization,
                (newPayer, address(vault), 40 * UNIT, START - 1, START + 100, _nonce(d), v, r, s)
            )
        );
        vm.assertFalse(done, "received");
        vm.prank(stranger);
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        authorizing.transferWithAuthorization(
            newPayer,
            address(vault),
            40 * UNIT,
            START - 1,
            START + 100,
            _nonce(d),
            v,
            r,
            s
        );
    }

    // Finding 5.
    function test_reverts_whenTheAuthorizationNamesAnotherRelayerThanTheBoundOne() public {
        vm.prank(newPayer);
        vault.setRelayer(address(token), 9);
        IVault.DepositAuthorization memory d = _authorization(0);
        (uint8 v, bytes32 r, bytes32 s) = _signAuthorization(d, UNIT);
        vm.expectRevert(abi.encodeWithSelector(IVault.RelayerMismatch.selector, 9, RELAYER_ID));
        _depositWith(d, UNIT, v, r, s);
    }

    // Finding 8: a token without EIP-3009 that takes any call moves nothing.
    function test_reverts_whenTheTokenOnlyPretends() public {
        address pretending = address(new AgreeableToken());
        vm.prank(owner);
        vault.listToken(pretending, 1, 0);
        IVault.DepositAuthorization memory d = _authorization(0);
        d.token = pretending;
        vm.expectRevert(abi.encodeWithSelector(IVault.DepositMismatch.selector, 0, UNIT));
        _depositWith(d, UNIT, 27, 0, 0);
    }

    function test_reverts_whenTheModeIsUnknown(uint8 mode) public {
        vm.assume(mode > 1);
        IVault.DepositAuthorization memory d = _authorization(mode);
        (uint8 v, bytes32 r, bytes32 s) = _signAuthorization(d, UNIT);
        vm.expectRevert(abi.encodeWithSelector(IVault.ModeUnknown.selector, mode, 1));
        _depositWith(d, UNIT, v, r, s);
        vm.expectRevert(abi.encodeWithSelector(IVault.ModeUnknown.selector, mode, 1));
        vault.depositWithPermit(mode, address(token), UNIT, RELAYER_ID, 0, v, r, s);
    }

    function _signPermit(uint256 amount) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 typeHash = keccak256(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        );
        return
            vm.sign(
                NEW_KEY,
                _tokenDigest(
                    keccak256(
                        abi.encode(typeHash, newPayer, address(vault), amount, authorizing.nonces(newPayer), START + 100)
                    )
                )
            );
    }

    function test_succeeds_byPermitIntoEitherMode() public {
        for (uint8 mode = 0; mode < 2; mode++) {
            (uint8 v, bytes32 r, bytes32 s) = _signPermit(30 * UNIT);
            vm.prank(newPayer);
            vault.depositWithPermit(mode, address(token), 30 * UNIT, RELAYER_ID, START + 100, v, r, s);
        }
        vm.assertEq(vault.accountOf(newPayer, address(token)).balance, 30 * UNIT, "independent");
        vm.assertEq(vault.chainedAccountOf(newPayer, address(token)).balance, 30 * UNIT, "chained");
    }

    // Finding 9.
    function test_succeeds_whenThePermitWasSentByAnotherBefore() public {
        (uint8 v, bytes32 r, bytes32 s) = _signPermit(30 * UNIT);
        vm.prank(stranger);
        authorizing.permit(newPayer, address(vault), 30 * UNIT, START + 100, v, r, s);
        vm.prank(newPayer);
        vault.depositWithPermit(0, address(token), 30 * UNIT, RELAYER_ID, START + 100, v, r, s);
        vm.assertEq(vault.accountOf(newPayer, address(token)).balance, 30 * UNIT, "balance");
    }

    // Finding 9: a failed permit is passed over, a missing allowance is not.
    function test_reverts_whenNeitherPermitNorAllowanceIsThere() public {
        (uint8 v, bytes32 r, bytes32 s) = _signPermit(30 * UNIT);
        vm.prank(newPayer);
        vm.expectRevert(abi.encodeWithSelector(IVault.AllowanceShort.selector, 0, 30 * UNIT + 1));
        vault.depositWithPermit(0, address(token), 30 * UNIT + 1, RELAYER_ID, START + 100, v, r, s);
    }

    // The caller pays: a stranger with somebody's permit gets nothing but the permit carried out.
    function test_reverts_whenAStrangerSendsAPermit() public {
        (uint8 v, bytes32 r, bytes32 s) = _signPermit(30 * UNIT);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IVault.AllowanceShort.selector, 0, 30 * UNIT));
        vault.depositWithPermit(0, address(token), 30 * UNIT, RELAYER_ID, START + 100, v, r, s);
    }

    function test_reverts_whenTheTokenIsNotListed() public {
        address unlisted = address(new AuthorizingToken());
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenNotListed.selector, unlisted));
        vault.depositWithPermit(0, unlisted, UNIT, RELAYER_ID, START + 100, 27, 0, 0);
        IVault.DepositAuthorization memory d = _authorization(0);
        d.token = unlisted;
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenNotListed.selector, unlisted));
        _depositWith(d, UNIT, 27, 0, 0);
    }
}

/// Takes any call, does nothing.
contract AgreeableToken {
    mapping(address => uint256) public balanceOf;

    fallback() external {}
}
