//! A call from its arrival to its record. Faults are drawn first. Then come the gate, the model's
//! checks and the operation.

use super::{
    ApiError, Caller, Operation, Service,
    gate::{self, Fate},
    words,
};
use crate::{
    model::{ServiceModel, action, without_nulls},
    world::{RequestRecord, World},
};
use serde_json::Value;

/// How an answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before the call has taken effect.
    Before,
    /// In its middle.
    Middle,
    /// The whole of it.
    After,
}

/// Calls an operation by its name, with its input and output as the JSON of the wire. The call takes no
/// time, so a fault that slows calls down has no effect here.
///
/// # Errors
///
/// AWS's own error, also for an unknown operation. If a fault has broken the connection, an error that
/// [`is_lost`](ApiError::is_lost).
pub fn call(
    world: &mut World,
    caller: &Caller,
    service: Service,
    operation: &str,
    input: Value,
) -> Result<Value, ApiError> {
    let fate = gate::fate(world, caller, service, operation, &input);
    let result = perform(world, caller, service, operation, input, &fate);
    fate.cut.map_or(result, |_| Err(ApiError::lost()))
}

/// Calls an operation by its name, as `fate` allows. The caller of this function decides whether the
/// answer arrives.
pub(crate) fn perform(
    world: &mut World,
    caller: &Caller,
    service: Service,
    operation: &str,
    input: Value,
    fate: &Fate,
) -> Result<Value, ApiError> {
    let shown = without_nulls(input.clone());
    around(world, caller, (service, operation), shown, fate, |world| {
        let act = super::find(service, operation).ok_or_else(|| {
            tracing::warn!(
                service = service.name(),
                operation,
                "not an operation that is simulated"
            );
            ApiError::unknown_operation(service, operation)
        })?;
        act(world, caller, input)
    })
    .map(|mut answer| {
        words::add(service, &mut answer, &fate.words);
        answer
    })
}

/// Calls an operation by its type, as `fate` allows.
pub(crate) fn perform_typed<O: Operation>(
    world: &mut World,
    caller: &Caller,
    input: O,
    fate: &Fate,
) -> Result<O::Output, ApiError> {
    let shown = without_nulls(serde_json::to_value(&input).unwrap_or_default());
    let result = around(world, caller, (O::SERVICE, O::NAME), shown, fate, |world| {
        input.run(world, caller)
    });
    fate.cut.map_or(result, |_| Err(ApiError::lost()))
}

/// Draws what faults do to a call that is made by its type.
pub(crate) fn fate_of<O: Operation>(world: &mut World, caller: &Caller, input: &O) -> Fate {
    if world.faults().is_empty() {
        return Fate::default();
    }
    let input = serde_json::to_value(input).unwrap_or_default();
    gate::fate(world, caller, O::SERVICE, O::NAME, &input)
}

/// Records a call whose input could not be read, and returns its error.
pub(crate) fn refuse(
    world: &mut World,
    caller: &Caller,
    service: Service,
    operation: &str,
    shown: Value,
    error: ApiError,
) -> Result<Value, ApiError> {
    record(
        world,
        caller,
        (service, operation),
        shown,
        Some(&error),
        &Fate::default(),
    );
    Err(error)
}

fn around<T>(
    world: &mut World,
    caller: &Caller,
    (service, operation): (Service, &str),
    shown: Value,
    fate: &Fate,
    run: impl FnOnce(&mut World) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let result = if fate.cut == Some(Cut::Before) {
        Err(ApiError::lost())
    } else {
        gate::admit(world, caller, service, operation, &shown, fate).and_then(|()| {
            let violations = ServiceModel::of(service).check(operation, &shown);
            if !violations.is_empty() {
                return Err(ApiError::invalid(service, &violations));
            }
            world.answer_with_query_errors(&fate.query_errors);
            let result = run(world);
            world.answer_with_query_errors(&[]);
            result
        })
    };
    record(
        world,
        caller,
        (service, operation),
        shown,
        result.as_ref().err(),
        fate,
    );
    result.map_err(|error| error.saying(&fate.words))
}

fn record(
    world: &mut World,
    caller: &Caller,
    (service, operation): (Service, &str),
    input: Value,
    error: Option<&ApiError>,
    fate: &Fate,
) {
    let action = action(service, operation);
    let known = super::find(service, operation).is_some();
    let action = known.then_some(action.as_str());
    if !world.keeps_requests() {
        return world.count_call(action);
    }
    let record = RequestRecord {
        principal_account: caller.origin.to_string(),
        principal: caller.arn(),
        account: caller.account.to_string(),
        region: caller.region.to_string(),
        service: service.name().to_owned(),
        operation: operation.to_owned(),
        input,
        status: error.map_or(200, ApiError::status),
        error: error.map(|error| error.code().to_owned()),
        faults: fate.names.clone(),
        time: world.now(),
    };
    world.record(record, action);
}

pub(super) type Act = fn(&mut World, &Caller, Value) -> Result<Value, ApiError>;

pub(super) fn act<O: Operation>(world: &mut World, caller: &Caller, input: Value) -> Result<Value, ApiError> {
    let unread = |error: serde_json::Error| {
        // The text may repeat the input, which may be megabytes.
        let words: String = error.to_string().chars().take(500).collect();
        ApiError::client("SerializationException", words)
    };
    let input: O = serde_json::from_value(input).map_err(unread)?;
    let output = input.run(world, caller)?;
    serde_json::to_value(output)
        .map(without_nulls)
        .map_err(|error| ApiError::new(500, "InternalServerError", error.to_string()))
}
