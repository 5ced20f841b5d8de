// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../demo/DemoToken.sol";

// Tokens that misbehave, each in one way, so that tests can show what the vault does about it.

/// @notice Keeps one unit of every `transferFrom`.
contract FeeToken is DemoToken("Fee", "FEE", 6) {
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        super.transferFrom(from, to, amount);
        _burn(to, 1);
        return true;
    }
}

/// @notice Adds one unit to every `transferFrom`.
contract BonusToken is DemoToken("Bonus", "BON", 6) {
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        super.transferFrom(from, to, amount);
        _mint(to, 1);
        return true;
    }
}

/// @notice Claims a `transferFrom` that never happened.
contract PretendingToken is DemoToken("Pretending", "PRE", 6) {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @notice Answers nothing, as USDT on Ethereum does.
contract SilentToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice `transfer` moves nothing and answers `answer`, any bytes.
contract RefusingToken is DemoToken("Refusing", "REF", 6) {
    bytes public answer;

    function setAnswer(bytes calldata newAnswer) external {
        answer = newAnswer;
    }

    function transfer(address, uint256) public view override returns (bool) {
        bytes memory data = answer;
        assembly ("memory-safe") {
            return(add(data, 0x20), mload(data))
        }
    }
}

/// @notice Once `answer` is set, `transferFrom` moves nothing and answers it, any bytes.
contract RefusingSourceToken is DemoToken("Refusing", "RFS", 6) {
    bytes public answer;
    bool public isSet;

    function setAnswer(bytes calldata newAnswer) external {
        (answer, isSet) = (newAnswer, true);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (!isSet) return super.transferFrom(from, to, amount);
        bytes memory data = answer;
        assembly ("memory-safe") {
            return(add(data, 0x20), mload(data))
        }
    }
}

/// @notice Reverts for blocked receivers, as USDC and USDT do.
contract BlocklistToken is DemoToken("Blocklist", "BLK", 6) {
    error Blocked(address account);

    mapping(address => bool) public isBlocked;

    function setBlocked(address account, bool blocked) external {
        isBlocked[account] = blocked;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (isBlocked[to]) revert Blocked(to);
        super._update(from, to, amount);
    }
}

/// @notice `transfer` burns all the gas it gets for one receiver, and remembers nothing.
contract GasBurnerToken is DemoToken("Burner", "BRN", 6) {
    address public burnsFor;

    function setBurnsFor(address receiver) external {
        burnsFor = receiver;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (to == burnsFor) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        return super.transfer(to, amount);
    }
}

/// @notice `transfer` needs `appetite` gas, honestly, and then works.
contract HungryToken is DemoToken("Hungry", "HGR", 6) {
    uint256 public appetite;

    function setAppetite(uint256 gasAmount) external {
        appetite = gasAmount;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        uint256 start = gasleft();
        while (start - gasleft() < appetite) {}
        return super.transfer(to, amount);
    }
}

/// @notice Reverts with as much data as its gas affords, which a careless caller copies at its own expense.
contract ReturnBombToken is DemoToken("Bomb", "BMB", 6) {
    bool public isArmed;

    function arm() external {
        isArmed = true;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (isArmed) {
            assembly ("memory-safe") {
                revert(0, 280000)
            }
        }
        return super.transfer(to, amount);
    }
}

/// @notice Calls `target` in the middle of every transfer, and keeps the answer.
contract ReentrantToken is DemoToken("Reentrant", "RNT", 6) {
    address public target;
    bytes public data;
    bytes public answer;

    function setCall(address newTarget, bytes calldata newData) external {
        target = newTarget;
        data = newData;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (target != address(0)) (, answer) = target.call(data);
        super._update(from, to, amount);
    }
}
