"""What Schwab's Trader API answers, as far as it is used here. It promises few fields; what may be missing may be."""

from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from grove_provider_sync.providers.published import Published, Text

DAY_SECONDS = 24 * 3600


class Granted(Published):
    """Tokens."""

    access_token: Text
    refresh_token: Text | None = None
    expires_in: float = Field(ge=0, le=DAY_SECONDS)


class Refusal(Published):
    """Why there are no tokens."""

    error: str = ""
    error_description: str = ""


class AccountNumber(Published):
    """An account's number, which is secret, and the name by which all else is asked for."""

    account_number: Text = Field(alias="accountNumber")
    hash_value: Text = Field(alias="hashValue", max_length=200)


class Balances(Published):
    """What is in an account; which fields there are depends on its type."""

    liquidation_value: Decimal | None = Field(None, alias="liquidationValue")
    cash_available: Decimal | None = Field(None, alias="cashAvailableForTrading")
    available_funds: Decimal | None = Field(None, alias="availableFunds")


class SecuritiesAccount(Published):
    """An account."""

    type: Text
    account_number: Text = Field(alias="accountNumber")
    current_balances: Balances = Field(Balances(), alias="currentBalances")


class AggregatedBalance(Published):
    """What all of it is worth."""

    current_liquidation_value: Decimal | None = Field(None, alias="currentLiquidationValue")


class Account(Published):
    """An account with what is in it."""

    securities_account: SecuritiesAccount = Field(alias="securitiesAccount")
    aggregated_balance: AggregatedBalance = Field(AggregatedBalance(), alias="aggregatedBalance")


class Instrument(Published):
    """What was traded."""

    asset_type: str | None = Field(None, alias="assetType")
    symbol: str | None = None
    description: str | None = None


class TransferItem(Published):
    """A part of a transaction."""

    instrument: Instrument | None = None


class Transaction(Published):
    """A transaction. `time`: when it was entered, by which it is asked for. Without an amount no money moved."""

    activity_id: int = Field(alias="activityId")
    time: AwareDatetime
    type: Text
    status: Literal["VALID", "INVALID", "PENDING", "UNKNOWN"] | None = None
    description: str | None = None
    settlement_date: AwareDatetime | None = Field(None, alias="settlementDate")
    net_amount: Decimal = Field(Decimal(0), alias="netAmount")
    transfer_items: tuple[TransferItem, ...] = Field((), alias="transferItems")


GRANTED = TypeAdapter(Granted)
REFUSAL = TypeAdapter(Refusal)
ACCOUNT_NUMBERS = TypeAdapter(tuple[AccountNumber, ...])
ACCOUNTS = TypeAdapter(tuple[Account, ...])
TRANSACTIONS = TypeAdapter(tuple[Transaction, ...])
