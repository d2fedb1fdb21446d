"""x"""
import sys
import registry, scenarios, wire
audit=wire.Audit()
want=sys.argv[2:]
for one in registry.SCENARIOS:
    if want and not any(w in one.name for w in want): continue
    for p in registry.run(one, sys.argv[1], audit): print(p)
print(audit.coverage.exchanges, audit.coverage.deviated)
