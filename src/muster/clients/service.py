"""Clients and the people at them: make, list, change, and find the one that is meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.service import normalized_email
from muster.audit.service import AuditService
from muster.clients.models import Client, Contact
from muster.clients.repository import ClientRepository, ContactRepository
from muster.clients.schemas import ClientChoice, ClientOption
from muster.clients.types import ClientFigures, ContactHolder, FigureSource
from muster.db.types import new_id
from muster.errors import Conflict, InvalidInput, NotFound
from muster.naming import as_id, clean_name, is_found, name_key, parts_around, sort_key
from muster.tenancy import TenantScope

# SQLite's older builds take 999 parameters in one statement.
_IDS_AT_A_TIME = 500
_PHONE_LIMIT = 50
# What a picker shows at once; typing more narrows it.
_OPTIONS = 8


class ClientService:
    """The verbs on the clients of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self.session = session
        self.scope = scope
        self.clients = ClientRepository(session, scope)
        self._audit = AuditService(session, scope)

    async def create(self, name: str) -> Client:
        """Make a client. InvalidInput for an unusable name, Conflict for one that is taken in any case or
        spacing.
        """
        name = clean_name(name, what="the client")
        key = name_key(name)
        taken = Conflict(f"There is a client {name} already.", remedy="Choose another name.")
        if await self.clients.by_name_key(key) is not None:
            raise taken
        client = Client(
            tenant_id=self.scope.tenant_id,
            client_id=new_id(),
            name=name,
            name_key=key,
            created_at=clock.now(),
        )
        try:
            async with self.session.begin_nested():
                self.clients.add(client)
        except IntegrityError:
            # Somebody else took the name since the question above.
            raise taken from None
        await self._audit.record("client.created", "client", subject=name, subject_id=client.client_id)
        return client

    async def rename(self, client_id: UUID, name: str) -> Client:
        """Call a client otherwise; refusals as for `create`."""
        client = await self.get(client_id)
        name = clean_name(name, what="the client")
        if name == client.name:
            return client
        key, before = name_key(name), client.name
        taken = Conflict(f"There is a client {name} already.", remedy="Choose another name.")
        holder = await self.clients.by_name_key(key)
        if holder is not None and holder.client_id != client_id:
            raise taken
        try:
            async with self.session.begin_nested():
                client.name, client.name_key = name, key
        except IntegrityError:
            raise taken from None
        await self._audit.record(
            "client.renamed", "client", subject=name, subject_id=client_id, **{"from": before}
        )
        return client

    async def get_or_create(self, name: str) -> Client:
        """The client of this name, made when it is not there yet."""
        existing = await self.clients.by_name_key(name_key(clean_name(name, what="the client")))
        if existing is not None:
            return existing
        try:
            return await self.create(name)
        except Conflict:
            return await self.get(name)

    async def list(self, *, limit: int | None = None, search: str | None = None) -> Sequence[Client]:
        """The clients by name; with `search` those whose name contains it in any case."""
        return await self.clients.page(limit=limit, search_key=name_key(search) if search else None)

    async def count(self) -> int:
        """How many there are."""
        return await self.clients.count()

    async def search(self, wanted: str = "") -> Sequence[tuple[UUID, str]]:
        """Id and name of the clients whose name contains what is wanted, whatever way umlauts are spelt
        (ueberm finds Übermut), by name; of all when nothing is wanted.
        """
        everything = sorted(await self.clients.names(), key=lambda client: sort_key(client[1]))
        if not wanted.strip():
            return everything
        return [(client_id, name) for client_id, name in everything if is_found(wanted, name)]

    async def pick(self, wanted: str, figures: FigureSource) -> ClientChoice:
        """What a picker offers for what was typed: a few clients, those first whose name begins with it."""
        found = await self.search(wanted)
        if wanted := wanted.strip():
            found = sorted(found, key=lambda client: not is_found(wanted, client[1][: len(wanted)]))
        shown = found[:_OPTIONS]
        known = await figures(self.session, self.scope, [client_id for client_id, _ in shown])
        key = name_key(wanted)
        return ClientChoice(
            wanted=wanted,
            options=[_option(client_id, name, wanted, known.get(client_id)) for client_id, name in shown],
            more=len(found) - len(shown),
            is_new=bool(key) and all(name_key(name) != key for _, name in found),
        )

    async def get(self, reference: str | UUID) -> Client:
        """The client meant by id or by name in any case; NotFound also for another tenant's."""
        wanted_id = reference if isinstance(reference, UUID) else as_id(reference)
        if wanted_id is not None and (client := await self.clients.by_id(wanted_id)) is not None:
            return client
        client = await self.clients.by_name_key(name_key(str(reference)))
        if client is None:
            raise NotFound(f"There is no client {reference}.", remedy="See: muster client list")
        return client

    async def names(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """The names of the clients with these ids; ids that are not the tenant's are left out."""
        wanted = sorted(set(ids))
        names: dict[UUID, str] = {}
        for start in range(0, len(wanted), _IDS_AT_A_TIME):
            clients = await self.by_ids(wanted[start : start + _IDS_AT_A_TIME])
            names.update((client.client_id, client.name) for client in clients.values())
        return names

    async def by_ids(self, ids: Collection[UUID]) -> Mapping[UUID, Client]:
        """A page's worth of clients; ids that are not the tenant's are left out."""
        return {client.client_id: client for client in await self.clients.by_ids(list(ids))}


def _option(client_id: UUID, name: str, wanted: str, figures: ClientFigures | None) -> ClientOption:
    before, found, after = parts_around(wanted, name)
    assets = figures.assets if figures is not None else None
    return ClientOption(client_id=client_id, before=before, found=found, after=after, assets=assets)


class ContactService:
    """The verbs on the contacts of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._contacts = ContactRepository(session, scope)
        self._clients = ClientService(session, scope)
        self._audit = AuditService(session, scope)

    async def create(
        self, client_id: UUID, *, name: str, email: str | None = None, phone: str | None = None
    ) -> Contact:
        """Add a person to a client. NotFound for a client that is not the tenant's, InvalidInput with the
        code contact_name, contact_email or contact_phone for what cannot be used.
        """
        client = await self._clients.get(client_id)
        at = clock.now()
        contact = Contact(
            tenant_id=self._scope.tenant_id,
            contact_id=new_id(),
            client_id=client.client_id,
            **_cleaned(name, email, phone),
            created_at=at,
            updated_at=at,
        )
        self._contacts.add(contact)
        await self._session.flush()
        await self._record("contact.created", contact)
        return contact

    async def list(self, client_id: UUID) -> Sequence[Contact]:
        """The people at a client, by name."""
        return await self._contacts.of_client(client_id)

    async def get(self, contact_id: UUID) -> Contact:
        """One contact; NotFound also for another tenant's."""
        contact = await self._contacts.by_id(contact_id)
        if contact is None:
            raise _no_contact()
        return contact

    async def update(
        self, contact_id: UUID, *, name: str, email: str | None = None, phone: str | None = None
    ) -> Contact:
        """Write what a contact is called and how to reach them; refusals as for `create`."""
        contact = await self.get(contact_id)
        for field, value in _cleaned(name, email, phone).items():
            setattr(contact, field, value)
        contact.updated_at = clock.now()
        await self._session.flush()
        await self._record("contact.updated", contact)
        return contact

    async def delete(self, contact_id: UUID, let_go: ContactHolder) -> Contact:
        """Remove a contact, after whatever names it has let go of it."""
        # Locked first: who wants to name it now waits, and then finds it gone.
        contact = await self._contacts.by_id(contact_id, for_update=True)
        if contact is None:
            raise _no_contact()
        await let_go(self._session, self._scope, contact_id)
        await self._record("contact.deleted", contact)
        await self._contacts.remove(contact)
        return contact

    async def names(self, ids: Collection[UUID]) -> Mapping[UUID, str]:
        """The names of a page's worth of contacts; ids that are not the tenant's are left out."""
        return await self._contacts.names(ids)

    async def counts(self, client_ids: Collection[UUID]) -> Mapping[UUID, int]:
        """How many contacts each of a page's worth of clients has; one without any is absent."""
        return await self._contacts.counts(client_ids)

    async def _record(self, action: str, contact: Contact) -> None:
        client = await self._clients.get(contact.client_id)
        await self._audit.record(
            action,
            "contact",
            subject=contact.name,
            subject_id=contact.contact_id,
            client=client.name,
            client_id=str(client.client_id),
        )


def _no_contact() -> NotFound:
    return NotFound("There is no such contact.", remedy="The client's page lists its contacts.")


def _cleaned(name: str, email: str | None, phone: str | None) -> dict[str, str | None]:
    with _about("contact_name"):
        name = clean_name(name, what="the contact")
    with _about("contact_email"):
        email = normalized_email(email) if email and email.strip() else None
    with _about("contact_phone"):
        phone = _clean_phone(phone) if phone and phone.strip() else None
    return {"name": name, "email": email, "phone": phone}


def _clean_phone(text: str) -> str:
    if not text.isprintable():
        raise InvalidInput("That is not a phone number.", remedy="Write it in one line.")
    number = " ".join(text.split())
    if len(number) > _PHONE_LIMIT:
        raise InvalidInput(
            f"The phone number is too long ({len(number)} characters).", remedy=f"At most {_PHONE_LIMIT}."
        )
    return number


@contextmanager
def _about(code: str) -> Iterator[None]:
    """Say by the code which field a refusal is about."""
    try:
        yield
    except InvalidInput as refused:
        raise InvalidInput(refused.message, remedy=refused.remedy, code=code) from None
