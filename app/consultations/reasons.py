"""Why a consultation was cancelled: HL7's code system appointment-cancellation-reason, all of its 32 codes.

Source: http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason (FHIR R4B).
"""

from enum import StrEnum


class CancellationReason(StrEnum):
    """A code of FHIR's appointment-cancellation-reason."""

    PATIENT = "pat"
    PATIENT_BY_REMINDER = "pat-crs"
    PATIENT_BY_PORTAL = "pat-cpp"
    PATIENT_DECEASED = "pat-dec"
    PATIENT_FEELING_BETTER = "pat-fb"
    PATIENT_LACKS_TRANSPORT = "pat-lt"
    PATIENT_MEMBER_TERMINATED = "pat-mt"
    PATIENT_MOVED = "pat-mv"
    PATIENT_PREGNANT = "pat-preg"
    PATIENT_FROM_WAIT_LIST = "pat-swl"
    PATIENT_CHANGED_PROVIDER = "pat-ucp"
    PROVIDER = "prov"
    PROVIDER_PERSONAL = "prov-pers"
    PROVIDER_DISCHARGED = "prov-dch"
    PROVIDER_EDUCATION = "prov-edu"
    PROVIDER_HOSPITALIZED = "prov-hosp"
    PROVIDER_LABS = "prov-labs"
    PROVIDER_MRI_SCREENING = "prov-mri"
    PROVIDER_ONCOLOGY_PLAN = "prov-onc"
    MAINTENANCE = "maint"
    PREPARATION_INCOMPLETE = "meds-inc"
    OTHER = "other"
    OTHER_NOT_AUTHORIZED = "oth-cms"
    OTHER_ERROR = "oth-err"
    OTHER_FINANCIAL = "oth-fin"
    OTHER_NO_INTERPRETER = "oth-int"
    OTHER_IV_ACCESS = "oth-iv"
    OTHER_RESULTS_UNAVAILABLE = "oth-mu"
    OTHER_ORDER_ERROR = "oth-oerr"
    OTHER_ROOM = "oth-room"
    OTHER_WALK_IN_ERROR = "oth-swie"
    OTHER_WEATHER = "oth-weath"
