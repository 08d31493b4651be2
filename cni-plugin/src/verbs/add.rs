//! ADD: wires one pod, or nothing.
//!
//! Order: check everything that was passed, find the host interface, write the record, wire in one nft
//! transaction, print. The record comes first so that a DEL without `prevResult` after a killed ADD finds
//! what there may be. Every failure, a panic included, undoes what was done ([`Wiring`]).

use std::path::PathBuf;

use weir_datapath::attachment::{Attachment, AttachmentKey, Pod, RECORD_VERSION};
use weir_datapath::netns::PeerLink;
use weir_datapath::policy::Mode;
use weir_datapath::record::RecordStore;

use super::{Call, lock_if_possible};
use crate::config::options::{OnUnsupported, Options};
use crate::config::prev_result::PrevResult;
use crate::enforcer;
use crate::error::Error;
use crate::link::{self, LinkError};
use crate::pod_args::pod_from_args;
use crate::policy::{self, PodPolicy};
use crate::wiring::{Wiring, clear_leftovers, forget};

/// Most addresses of one attachment.
pub const MAX_POD_IPS: usize = 64;

/// What ADD answers: the text for stdout, and what to undo if it cannot be printed.
pub struct Added<'a> {
    /// The result.
    pub stdout: Vec<u8>,
    /// The wiring, if the pod is inspected; undone unless kept.
    pub wiring: Option<Wiring<'a>>,
}

/// All that the caller passed, checked.
struct Request<'a> {
    options: Options,
    prev_result: PrevResult<'a>,
    key: AttachmentKey,
    netns: PathBuf,
    pod: Pod,
    policy: PodPolicy,
}

/// Runs ADD.
///
/// # Errors
/// See [`Error`]; nothing of the attachment is left behind then.
pub fn add<'a>(call: &Call<'a>) -> Result<Added<'a>, Error> {
    let request = Request::check(call)?;
    let stdout = request
        .prev_result
        .print(call.config.version())
        .map_err(|error| Error::Output(error.into()))?;
    let link = link::find(call.host, &request.netns, &request.key.ifname);
    let wiring = match request.link_to_wire(link)? {
        Some(link) => Some(request.wire(call, link)?),
        None => {
            request.leave_unwired(call);
            None
        }
    };
    Ok(Added { stdout, wiring })
}

impl<'a> Request<'a> {
    fn check(call: &Call<'a>) -> Result<Self, Error> {
        let container = call.environment.container()?;
        let options = call.config.options()?;
        let prev_result = call.config.prev_result()?;
        let found = prev_result.pod_ips(container.ifname).len();
        if found > MAX_POD_IPS {
            return Err(Error::TooManyIps {
                found,
                limit: MAX_POD_IPS,
            });
        }
        let pod = pod_from_args(call.environment.args()?);
        let policy = policy::resolve(&options, &call.config.pod_annotations()?, &pod)?;
        Ok(Self {
            options,
            prev_result,
            key: call.key(container),
            netns: call.environment.netns().unwrap_or_default(),
            pod,
            policy,
        })
    }

    /// The interface to wire; `None` when the policy or the configuration says to leave it alone.
    fn link_to_wire(
        &self,
        link: Result<PeerLink, LinkError>,
    ) -> Result<Option<PeerLink>, LinkError> {
        if self.policy.wired.mode == Mode::Off {
            return Ok(None);
        }
        match link {
            Ok(link) => Ok(Some(link)),
            Err(error)
                if error.is_unsupported() && self.options.on_unsupported == OnUnsupported::Skip =>
            {
                log::warn!(
                    "{} runs WITHOUT inspection (onUnsupported is skip): {error}",
                    policy::describe(&self.pod)
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn wire(&self, call: &Call<'a>, link: PeerLink) -> Result<Wiring<'a>, Error> {
        let store = RecordStore::new(&self.options.run_dir);
        let wiring = Wiring::record(call.host, store, self.attachment(link))?;
        let wiring = wiring.attach()?;
        enforcer::announce(&self.options.run_dir);
        Ok(wiring)
    }

    fn attachment(&self, link: PeerLink) -> Attachment {
        Attachment {
            version: RECORD_VERSION,
            key: self.key.clone(),
            netns: self.netns.clone(),
            host_ifname: link.ifname,
            host_ifindex: link.ifindex,
            pod_mac: link.pod_mac,
            link_local: link.link_local,
            ips: self.prev_result.pod_ips(&self.key.ifname),
            pod: self.pod.clone(),
            policy: self.policy.wired.clone(),
            anti_spoof: self.policy.anti_spoof,
        }
    }

    /// Sees to it that a pod that is not to be inspected is not held by what an earlier ADD, or a pod whose
    /// DEL was lost, left on its interface.
    fn leave_unwired(&self, call: &Call<'_>) {
        let store = RecordStore::new(&self.options.run_dir);
        let _lock = lock_if_possible(&store, &self.key.network);
        forget(call.host, &store, &self.key);
        if let Ok(link) = call.host.peer_of(&self.netns, &self.key.ifname) {
            clear_leftovers(call.host, &link.ifname);
        }
    }
}
