"""What the service has of a user.

Not in the list: tokens that wait for their provider to forget them (token_revocations). They go by themselves within a
day, and auth is told after that; and token_audit, whose ids are pseudonymous.
"""

from grove.contracts.provider_sync import UserErased
from grove.service.erasure import Erasure
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_provider_sync.models import Account, Connection, SyncRun, Transaction, User

ERASURE = Erasure(
    "provider-sync",
    (  # what may be very much before what it hangs on
        Transaction.user_id,
        SyncRun.user_id,
        Account.user_id,
        Connection.user_id,
        User.id,
        IdempotencyKeyRow.user_id,
    ),
    UserErased,
)
