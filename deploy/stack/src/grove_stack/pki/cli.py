"""`grove pki …`."""

from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from rich import print as show
from rich.table import Table

from grove.core.clock import now
from grove_stack.layout import Layout
from grove_stack.pki.authority import needs_renewal

commands = typer.Typer(
    help="The internal certificate authority. Works on the stack's state folder.", no_args_is_help=True
)
StateDir = Annotated[Path, typer.Option(envvar="GROVE_STATE_DIR", help="State folder of the stack")]


@commands.command("issue")
def issue(
    service: Annotated[str, typer.Argument(help="Name of the service")],
    out: Annotated[
        Path | None, typer.Option(help="File to write; default: a process of that name in the state folder")
    ] = None,
    state_dir: StateDir = Path(".grove"),
) -> None:
    """Issue a certificate for a process of SERVICE."""
    layout = Layout(state_dir.resolve())
    target = out or layout.identity_file(service)
    layout.internal_ca.issue_identity(service, into=target)
    show(f"Wrote key and certificate of [bold]{service}[/bold] to {target}. CA: {layout.internal_ca.certificate_file}")


@commands.command("renew")
def renew(
    everything: Annotated[bool, typer.Option("--all", help="Also those that still last")] = False,
    state_dir: StateDir = Path(".grove"),
) -> None:
    """Renew certificates of the stack's processes that end soon; running processes load them by themselves."""
    layout = Layout(state_dir.resolve())
    renewed = layout.renew_identities(everything=everything)
    show(f"Renewed: {', '.join(renewed) or 'none was due'}.")


@commands.command("list")
def list_identities(state_dir: StateDir = Path(".grove")) -> None:
    """Show the certificates of the stack's processes."""
    table = Table("process", "identity", "valid until", "renewal")
    for file in Layout(state_dir.resolve()).identity_files():
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        left = (certificate.not_valid_after_utc - now()).days
        table.add_row(file.parent.name, ", ".join(uris), f"{left} days", "due" if needs_renewal(file) else "not due")
    show(table)
