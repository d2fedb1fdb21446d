//! What the simulator brings along: worlds with a request each, and a runbook.

/// A world that comes with the simulator.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its world file.
    pub world: &'static str,
    /// A request that fits it, in patchfleet's own TOML.
    pub request: &'static str,
    /// Simulated seconds in a second. At this speed a campaign over it takes about a quarter of a minute, if
    /// hours in which nothing happens are skipped. Somebody who watches sees what happens, and need not wait.
    pub speed: f64,
}

/// A company in which every node that is asked for can be patched.
pub const CALM: Builtin = Builtin {
    name: "calm",
    world: include_str!("../worlds/calm.toml"),
    request: include_str!("../worlds/calm.request.toml"),
    speed: 400.0,
};

/// The same company on a bad day: a role is missing, nodes are offline, unmanaged, or fail, and
/// one does not come back from its reboot.
pub const TROUBLED: Builtin = Builtin {
    name: "troubled",
    world: include_str!("../worlds/troubled.toml"),
    request: include_str!("../worlds/troubled.request.toml"),
    speed: 400.0,
};

/// The company of the calm night, patched in waves and under bounds on the whole fleet.
pub const STAGED: Builtin = Builtin {
    name: "staged",
    world: include_str!("../worlds/calm.toml"),
    request: include_str!("../worlds/staged.request.toml"),
    speed: 400.0,
};

/// The same with a canary that fails: nothing but the canary is begun.
pub const STAGED_FAILING: Builtin = Builtin {
    name: "staged-failing",
    world: concat!(
        include_str!("../worlds/calm.toml"),
        include_str!("../worlds/staged_failing.toml")
    ),
    request: include_str!("../worlds/staged.request.toml"),
    speed: 400.0,
};

/// Every built-in world.
pub const ALL: [Builtin; 4] = [CALM, TROUBLED, STAGED, STAGED_FAILING];

/// The built-in world of that name.
#[must_use]
pub fn find(name: &str) -> Option<Builtin> {
    ALL.into_iter().find(|one| one.name == name)
}

/// The content of patchfleet's own runbook.
pub(crate) fn runbook() -> String {
    patchfleet_core::runbook::Runbook::default().to_json()
}
