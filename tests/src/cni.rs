//! A small libcni: drives a conflist through real plugin binaries.
//!
//! What it does as libcni does: `prevResult` chaining, `name`/`cniVersion` injection, `runtimeConfig` filtered by the
//! `capabilities` of each entry, the cached result for CHECK and DEL, DEL in reverse order stopping at the first error,
//! and `cni.dev/valid-attachments` on GC. A main plugin that does not speak the newest version is asked in
//! [`NEWEST_OF_MAIN_PLUGINS`], because distributions ship reference plugins older than the specification.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::command::{Finished, Run};
use crate::netns::Netns;

/// Where distributions put the reference plugins.
pub const REFERENCE_PLUGINS: &str = "/usr/lib/cni";

/// The newest CNI version that the packaged reference plugins speak.
const NEWEST_OF_MAIN_PLUGINS: &str = "1.0.0";

/// Capability by which runtimes hand over a pod's annotations.
pub const ANNOTATIONS_CAPABILITY: &str = "io.kubernetes.cri.pod-annotations";

/// What a verb is about: one interface of one container.
#[derive(Clone, Debug)]
pub struct Attach {
    /// `CNI_CONTAINERID`.
    pub id: String,
    /// `CNI_NETNS`, empty when the namespace is gone.
    pub netns: String,
    /// `CNI_IFNAME`.
    pub ifname: String,
    /// `CNI_ARGS`.
    pub args: String,
    /// Runtime configuration by capability.
    pub capabilities: Map<String, Value>,
}

impl Attach {
    /// `eth0` of container `id` in the namespace at `netns`, with the CNI_ARGS that containerd sends for pod `name`.
    #[must_use]
    pub fn pod(id: &str, netns: &Path, name: &str, namespace: &str) -> Self {
        Self {
            id: id.to_owned(),
            netns: netns.display().to_string(),
            ifname: "eth0".to_owned(),
            args: format!(
                "K8S_POD_UID=uid-{name};IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name};\
                 K8S_POD_INFRA_CONTAINER_ID={id}"
            ),
            capabilities: Map::new(),
        }
    }

    /// With pod annotations.
    #[must_use]
    pub fn annotated(mut self, annotations: &[(&str, &str)]) -> Self {
        let map: Map<String, Value> = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        self.capabilities
            .insert(ANNOTATIONS_CAPABILITY.to_owned(), Value::Object(map));
        self
    }
}

/// A plugin's refusal.
#[derive(Clone, Debug)]
pub struct Failure {
    /// `type` of the plugin.
    pub plugin: String,
    /// `code` of the error object; `None` when standard output held no error object.
    pub code: Option<u64>,
    /// `msg; details`, or what the plugin printed instead.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(
                f,
                "plugin {} failed, code {code}: {}",
                self.plugin, self.message
            ),
            None => write!(
                f,
                "plugin {} failed without an error object: {}",
                self.plugin, self.message
            ),
        }
    }
}

impl std::error::Error for Failure {}

/// A network: a conflist, executed inside a node's namespace.
#[derive(Debug)]
pub struct Network {
    node: Arc<Netns>,
    conflist: Value,
    search: Vec<PathBuf>,
    path_variable: String,
    cache: Mutex<BTreeMap<(String, String), Value>>,
}

impl Network {
    /// A network from a conflist; plugins are looked for in `search`, in order.
    #[must_use]
    pub fn new(node: Arc<Netns>, conflist: Value, search: Vec<PathBuf>) -> Self {
        Self {
            node,
            conflist,
            search,
            path_variable: "/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            cache: Mutex::new(BTreeMap::new()),
        }
    }

    /// The same network with another `PATH` in the plugins' environment.
    #[must_use]
    pub fn with_path_variable(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path_variable);
        self
    }

    /// The conflist, to change it as an administrator would.
    pub fn conflist_mut(&mut self) -> &mut Value {
        &mut self.conflist
    }

    /// The conflist.
    #[must_use]
    pub fn conflist(&self) -> &Value {
        &self.conflist
    }

    /// ADD through the whole chain; returns the last plugin's result.
    ///
    /// # Errors
    /// The first plugin that refuses. Nothing is undone, as libcni undoes nothing: DEL does.
    pub fn add(&self, attach: &Attach) -> Result<Value, Failure> {
        let mut previous = None;
        for plugin in self.plugins() {
            let config = self.config(plugin, attach, previous.as_ref());
            let finished = self.exec(plugin, "ADD", Some(attach), &config)?;
            previous = Some(parse_result(plugin, &finished)?);
        }
        let result = previous.unwrap_or(Value::Null);
        self.lock_cache().insert(cache_key(attach), result.clone());
        Ok(result)
    }

    /// Caches a result as if ADD had returned it: for chains whose main plugin is played by a test.
    pub fn remember(&self, attach: &Attach, result: &Value) {
        self.lock_cache().insert(cache_key(attach), result.clone());
    }

    /// CHECK through the whole chain with the cached result.
    ///
    /// # Errors
    /// The first plugin that refuses.
    pub fn check(&self, attach: &Attach) -> Result<(), Failure> {
        let cached = self.lock_cache().get(&cache_key(attach)).cloned();
        for plugin in self.plugins() {
            let config = self.config(plugin, attach, cached.as_ref());
            let finished = self.exec(plugin, "CHECK", Some(attach), &config)?;
            require_silence(plugin, &finished)?;
        }
        Ok(())
    }

    /// DEL through the whole chain, last plugin first, with the cached result where there is one.
    ///
    /// # Errors
    /// The first plugin that refuses; the others are then not called.
    pub fn del(&self, attach: &Attach) -> Result<(), Failure> {
        let cached = self.lock_cache().get(&cache_key(attach)).cloned();
        self.del_with(attach, cached.as_ref())?;
        self.lock_cache().remove(&cache_key(attach));
        Ok(())
    }

    /// DEL with a `prevResult` of the caller's choice.
    ///
    /// # Errors
    /// The first plugin that refuses.
    pub fn del_with(&self, attach: &Attach, previous: Option<&Value>) -> Result<(), Failure> {
        let plugins: Vec<&Value> = self.plugins().collect();
        for plugin in plugins.into_iter().rev() {
            let config = self.config(plugin, attach, previous);
            let finished = self.exec(plugin, "DEL", Some(attach), &config)?;
            require_silence(plugin, &finished)?;
        }
        Ok(())
    }

    /// GC of `weir-cni` alone (the packaged main plugins do not know the verb).
    ///
    /// # Errors
    /// What the plugin refuses.
    pub fn gc(&self, valid: &[&Attach]) -> Result<(), Failure> {
        let attachments: Vec<Value> = valid
            .iter()
            .map(|attach| json!({"containerID": attach.id, "ifname": attach.ifname}))
            .collect();
        self.weir_verb("GC", |config| {
            config.insert("cni.dev/valid-attachments".into(), json!(attachments));
        })
    }

    /// STATUS of `weir-cni` alone.
    ///
    /// # Errors
    /// What the plugin refuses: 50 or 51 when it cannot serve.
    pub fn status(&self) -> Result<(), Failure> {
        self.weir_verb("STATUS", |_| ())
    }

    /// Runs one plugin with a configuration of the caller's choice, good or bad.
    ///
    /// # Errors
    /// When it refuses.
    pub fn exec_raw(
        &self,
        plugin: &str,
        verb: &str,
        attach: Option<&Attach>,
        stdin: &[u8],
    ) -> Result<Finished, Failure> {
        let finished = self.exec_bytes(plugin, verb, attach, stdin)?;
        if finished.status.success() {
            Ok(finished)
        } else {
            Err(refusal(plugin, &finished))
        }
    }

    /// What a chained plugin reads: its entry, the network's name and version, `runtimeConfig` and `prevResult`.
    #[must_use]
    pub fn config(&self, plugin: &Value, attach: &Attach, previous: Option<&Value>) -> Value {
        let mut config = self.base_config(plugin);
        let declared = plugin.get("capabilities").and_then(Value::as_object);
        let runtime: Map<String, Value> = attach
            .capabilities
            .iter()
            .filter(|(name, _)| declared.is_some_and(|map| map.get(*name) == Some(&json!(true))))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !runtime.is_empty() {
            config.insert("runtimeConfig".into(), Value::Object(runtime));
        }
        if let Some(Value::Object(result)) = previous {
            let mut result = result.clone();
            result.insert(
                "cniVersion".into(),
                config.get("cniVersion").cloned().unwrap_or_default(),
            );
            config.insert("prevResult".into(), Value::Object(result));
        }
        Value::Object(config)
    }

    /// The entry of `weir-cni` in the conflist.
    #[must_use]
    pub fn weir_entry(&self) -> Option<&Value> {
        self.plugins().find(|plugin| type_of(plugin) == "weir-cni")
    }

    fn weir_verb(
        &self,
        verb: &str,
        fill: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<(), Failure> {
        let Some(plugin) = self.weir_entry() else {
            return Err(no_object("weir-cni", "not in the conflist"));
        };
        let mut config = self.base_config(plugin);
        fill(&mut config);
        let finished = self.exec(plugin, verb, None, &Value::Object(config))?;
        require_silence(plugin, &finished)
    }

    fn plugins(&self) -> impl Iterator<Item = &Value> {
        self.conflist
            .get("plugins")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    fn base_config(&self, plugin: &Value) -> Map<String, Value> {
        let mut config = plugin.as_object().cloned().unwrap_or_default();
        let version = self
            .conflist
            .get("cniVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let spoken = if type_of(plugin) != "weir-cni" && version > NEWEST_OF_MAIN_PLUGINS {
            NEWEST_OF_MAIN_PLUGINS
        } else {
            version
        };
        config.insert("cniVersion".into(), json!(spoken));
        config.insert(
            "name".into(),
            self.conflist.get("name").cloned().unwrap_or_default(),
        );
        config
    }

    fn exec(
        &self,
        plugin: &Value,
        verb: &str,
        attach: Option<&Attach>,
        config: &Value,
    ) -> Result<Finished, Failure> {
        self.exec_raw(type_of(plugin), verb, attach, config.to_string().as_bytes())
    }

    fn exec_bytes(
        &self,
        plugin: &str,
        verb: &str,
        attach: Option<&Attach>,
        stdin: &[u8],
    ) -> Result<Finished, Failure> {
        let binary = self.find(plugin)?;
        let mut command = Command::new(&binary);
        command
            .env_clear()
            .env("PATH", &self.path_variable)
            .env("CNI_COMMAND", verb)
            .env("CNI_PATH", join(&self.search));
        if let Some(attach) = attach {
            command
                .env("CNI_CONTAINERID", &attach.id)
                .env("CNI_NETNS", &attach.netns)
                .env("CNI_IFNAME", &attach.ifname)
                .env("CNI_ARGS", &attach.args);
        }
        self.node
            .run(|| Run::new(&mut command).stdin(stdin).finish())
            .map_err(|error| no_object(plugin, &format!("{error:#}")))
    }

    fn find(&self, plugin: &str) -> Result<PathBuf, Failure> {
        self.search
            .iter()
            .map(|directory| directory.join(plugin))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                let message = format!(
                    "not found in {}; install containernetworking-plugins, build the workspace",
                    join(&self.search)
                );
                no_object(plugin, &message)
            })
    }

    fn lock_cache(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Value>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cache_key(attach: &Attach) -> (String, String) {
    (attach.id.clone(), attach.ifname.clone())
}

fn type_of(plugin: &Value) -> &str {
    plugin
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn join(paths: &[PathBuf]) -> String {
    let texts: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    texts.join(":")
}

fn parse_result(plugin: &Value, finished: &Finished) -> Result<Value, Failure> {
    serde_json::from_str(&finished.stdout).map_err(|error| {
        no_object(
            type_of(plugin),
            &format!("result is no JSON ({error}): {finished}"),
        )
    })
}

fn require_silence(plugin: &Value, finished: &Finished) -> Result<(), Failure> {
    if finished.stdout.is_empty() {
        Ok(())
    } else {
        Err(no_object(
            type_of(plugin),
            &format!("printed on a verb without result: {finished}"),
        ))
    }
}

fn refusal(plugin: &str, finished: &Finished) -> Failure {
    let Ok(object) = serde_json::from_str::<Value>(&finished.stdout) else {
        return no_object(plugin, &finished.to_string());
    };
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    Failure {
        plugin: plugin.to_owned(),
        code: object.get("code").and_then(Value::as_u64),
        message: format!("{}; {}", text("msg"), text("details")),
    }
}

fn no_object(plugin: &str, message: &str) -> Failure {
    Failure {
        plugin: plugin.to_owned(),
        code: None,
        message: message.to_owned(),
    }
}
