//! rules
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Vars {}
pub fn vars_from(v: Vars, _: &std::path::Path) -> Result<Vars, crate::settings::SettingsError> {
    Ok(v)
}
