"""The data of one person: what is held, and how it is forgotten."""

from fastapi import APIRouter

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import privacy, retention, rotation
from app.consultations.privacy_shapes import ErasureReceipt, PrivacyExport, PrivacyRequest
from app.core import wiping
from app.core.caching import FreshRoute
from app.core.problems import responses
from app.routers.deps import ALWAYS, BODY, HouseInUse, PrivacyOfficer, with_api_key

router = APIRouter(prefix="/privacy", tags=["Privacy"], route_class=FreshRoute, responses=responses(*ALWAYS))


@router.post("/export", responses=responses(*BODY, CredentialInvalid, ScopeMissing), dependencies=[with_api_key])
async def export_personal_data(wish: PrivacyRequest, caller: PrivacyOfficer, house: HouseInUse) -> PrivacyExport:
    """Export everything that is held on a person.

    All bookings that were made with this e-mail address or phone number, and all that belongs to them. Each booking
    shown is noted in the audit trail. Needs the scope `privacy`.
    """
    await rotation.index_all(house.database, house.keyring, by=caller.actor)
    async with house.database.write() as session:
        return await privacy.export(session, wish, keyring=house.keyring, by=caller.actor)


@router.post("/erase", responses=responses(*BODY, CredentialInvalid, ScopeMissing), dependencies=[with_api_key])
async def erase_personal_data(wish: PrivacyRequest, caller: PrivacyOfficer, house: HouseInUse) -> ErasureReceipt:
    """Erase everything that tells who a person is.

    Of all bookings that were made with this e-mail address or phone number. Those that are still to come are cancelled
    first. Bookings without a patient remain, for statistics. Asking again erases what has come since, most often
    nothing. Needs the scope `privacy`.
    """
    await rotation.index_all(house.database, house.keyring, by=caller.actor)
    # A transaction of its own, not the request's: only after its COMMIT can its bytes go from the files.
    async with house.database.write() as session:
        receipt = await privacy.erase(session, wish, keyring=house.keyring, by=caller.actor)
    is_clean = await wiping.wipe(house.database, *retention.SEALED, rewrite=True)
    return receipt.model_copy(update={"files_clean": is_clean})
