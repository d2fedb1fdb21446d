"""Counts what the checks covered of the operations, errors and shapes that the simulator has, prints
the counts, and says what is missing."""

import model
import tables


def modelled_errors(operations):
    """Every (service, operation, code) that the models list for the operations."""
    return {
        (service, operation, shape.error_code)
        for service, operation in operations
        for shape in model.service(service).operation_model(operation).error_shapes
    }


def members(operations, side):
    """Every (service, structure, member) of the operations' inputs or outputs, and the structures."""
    structures = {
        (service, name): shape
        for service, operation in operations
        for name, shape in model.reachable(
            getattr(model.service(service).operation_model(operation), f"{side}_shape")
        ).items()
    }
    every = {(*structure, member) for structure, shape in structures.items() for member in shape.members}
    return structures, every


def fault_only(error):
    """Why this error cannot arise from a world; None if it can."""
    service, _, code = error
    return tables.FAULT_ONLY.get(".".join(error)) or tables.FAULT_ONLY.get(f"{service}.*.{code}")


def report(operations, covered, promised):
    """Prints the counts. Gives what is missing, and rows of the tables that are not true any more."""
    missing = []
    answered = operations & covered.answered
    print(f"operations: {len(answered)} of {len(operations)} answered, {covered.exchanges} exchanges")
    missing += [f"{'.'.join(one)} was never answered" for one in sorted(operations - answered)]
    missing += errors(operations, covered, promised)
    for side, seen, table in [("input", covered.sent, tables.NOT_SENT), ("output", covered.shown, tables.NOT_SHOWN)]:
        missing += shapes(operations, side, seen, table)
    return missing


def errors(operations, covered, promised):
    """The errors: each arises in a scenario that promises it, or is injected as a fault."""
    every = modelled_errors(operations)
    arisen = {error for error in every & covered.errors if ".".join(error) in promised}
    by_fault = {error for error in every if fault_only(error)} & covered.injected
    print(
        f"errors: {len(every)} modelled, {len(arisen)} arise from a world, {len(by_fault - arisen)} by fault alone, "
        f"{len(every - arisen - by_fault)} missing"
    )
    for error in sorted(every - arisen - by_fault):
        yield f"{'.'.join(error)} neither arises in a scenario nor is a fault-only error"
    for error in sorted(every & covered.errors):
        if fault_only(error):
            yield f"{'.'.join(error)} is in tables.FAULT_ONLY, and arose"
    for row in tables.FAULT_ONLY:
        if not any(row in (".".join(error), f"{error[0]}.*.{error[2]}") for error in every):
            yield f"tables.FAULT_ONLY has {row}, which no operation has"
    for row in sorted(promised - {".".join(error) for error in every}):
        yield f"a scenario promises {row}, which the model does not have"


def shapes(operations, side, seen, table):
    """The structures and their members: each was on the wire, or stands in the table."""
    structures, every = members(operations, side)
    seen = seen & every
    excused = {member for member in every if reason(member, table)}
    touched = {one for one in structures if not structures[one].members or any(member[:2] == one for member in seen)}
    print(
        f"{side} shapes: {len(touched)} of {len(structures)} structures, {len(seen)} of {len(every)} members; "
        f"{len(excused - seen)} members have a reason not to be there"
    )
    for member in sorted(every - seen - excused):
        yield f"{side} {'.'.join(member)} was never on the wire"
    for member in sorted(seen & excused):
        yield f"{side} {'.'.join(member)} was on the wire, and has a reason not to be"
    for row in (row for rows in table.values() for row in rows):
        if not any(row in rows_of(member) for member in every):
            yield f"a table of members has {row}, which no {side} has"


def reason(member, table):
    """Why a member was not on the wire; None if no row of the table has it."""
    return next((why for why, listed in table.items() if rows_of(member) & set(listed)), None)


def rows_of(member):
    """The rows of a table that have this member."""
    service, structure, name = member
    return {f"{service}.{structure}.{name}", f"{service}.*.{name}", f"{service}.{structure}.*"}
