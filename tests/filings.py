"""Submissions as the filing system gives them out, made of texts."""

from __future__ import annotations

from collections.abc import Sequence

NUMBER = "0000950000-03-000042"
TABBED_HEADER = """<SEC-DOCUMENT>0000950000-03-000042.txt : 20031121
<SEC-HEADER>0000950000-03-000042.hdr.sgml : 20031121
ACCESSION NUMBER:\t\t0000950000-03-000042
CONFORMED SUBMISSION TYPE:\t{form}
PUBLIC DOCUMENT COUNT:\t\t{count}
CONFORMED PERIOD OF REPORT:\t20031117
ITEM INFORMATION:\t\tOther events
ITEM INFORMATION:\t\tFinancial statements and exhibits
FILED AS OF DATE:\t\t{filed}

FILER:

\tCOMPANY DATA:
\t\tCOMPANY CONFORMED NAME:\t\t\tSAMPLE DEPOSITOR CORP
\t\tCENTRAL INDEX KEY:\t\t\t0001234567
\t\tSTANDARD INDUSTRIAL CLASSIFICATION:\tASSET-BACKED SECURITIES [6189]
\t\tIRS NUMBER:\t\t\t\t133354848
\t\tSTATE OF INCORPORATION:\t\t\tDE
\t\tFISCAL YEAR END:\t\t\t1231

\tFILING VALUES:
\t\tFORM TYPE:\t\t{form}
\t\tSEC ACT:\t\t1934 Act
\t\tSEC FILE NUMBER:\t333-86750
\t\tFILM NUMBER:\t\t03000042
</SEC-HEADER>
"""
TAG_HEADER = """<SUBMISSION>
<ACCESSION-NUMBER>0000950000-03-000042
<TYPE>{form}
<PUBLIC-DOCUMENT-COUNT>{count}
<PERIOD>20031117
<ITEMS>5
<ITEMS>7
<FILING-DATE>{filed}
<FILER>
<COMPANY-DATA>
<CONFORMED-NAME>SAMPLE DEPOSITOR CORP
<CIK>0001234567
<ASSIGNED-SIC>6189
<IRS-NUMBER>133354848
<STATE-OF-INCORPORATION>DE
<FISCAL-YEAR-END>1231
</COMPANY-DATA>
<FILING-VALUES>
<FORM-TYPE>{form}
<ACT>34
<FILE-NUMBER>333-86750
<FILM-NUMBER>03000042
</FILING-VALUES>
</FILER>
"""
COVER = "SECURITIES AND EXCHANGE COMMISSION\n\nForm 8-K\n\nSee the reports attached.\n"


def submission(
    documents: Sequence[str],
    form: str = "8-K",
    filed: str = "20031121",
    number: str = NUMBER,
    *,
    tags: bool = False,
    pem: bool = False,
) -> str:
    """A full submission with these documents, the first of which is the form itself."""
    header = (TAG_HEADER if tags else TABBED_HEADER).format(form=form, count=len(documents), filed=filed)
    header = header.replace(NUMBER, number)
    parts = [
        f"<DOCUMENT>\n<TYPE>{form if number == 1 else f'EX-99.{number - 1}'}\n<SEQUENCE>{number}\n"
        f"<FILENAME>d{number}.txt\n<TEXT>\n{text}\n</TEXT>\n</DOCUMENT>\n"
        for number, text in enumerate(documents, 1)
    ]
    end = "</SUBMISSION>\n" if tags else "</SEC-DOCUMENT>\n"
    whole = header + "".join(parts) + end
    if not pem:
        return whole
    return (
        "-----BEGIN PRIVACY-ENHANCED MESSAGE-----\nProc-Type: 2001,MIC-CLEAR\nMIC-Info: RSA-MD5,RSA,\n AAAA==\n\n"
        + whole.replace("\n-", "\n- -")
        + "-----END PRIVACY-ENHANCED MESSAGE-----\n"
    )
