//! Whether the kernel has a feature that may be a module, and if not, what would bring it.

use procfs::ConfigSetting;

use super::Finding;
use crate::machine::Root;
use crate::machine::kernel::{build_options, command_line};

/// A feature of the kernel that distributions build as a module.
pub(super) struct KernelModule {
    /// Name of the module.
    pub(super) name: &'static str,
    /// The option it is built by.
    pub(super) option: &'static str,
}

/// What is known about a module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Loaded, or built in.
    Active,
    /// It can be loaded.
    Loadable,
    /// The kernel was built without it.
    NotBuilt,
    /// Neither loaded nor found; in a container the host may have it.
    NotFound,
}

impl KernelModule {
    pub(super) fn presence(&self, root: &Root) -> Presence {
        if root.exists(format!("/sys/module/{}", self.name)) || self.listed(root, "modules.builtin")
        {
            return Presence::Active;
        }
        match build_options(root).map(|options| options.get(self.option).cloned()) {
            Some(Some(ConfigSetting::Yes)) => Presence::Active,
            Some(None) => Presence::NotBuilt,
            Some(Some(_)) => Presence::Loadable,
            None if self.listed(root, "modules.dep") => Presence::Loadable,
            None => Presence::NotFound,
        }
    }

    /// The finding for a feature that is not active.
    pub(super) fn missing(&self, root: &Root) -> Finding {
        let Self { name, option } = self;
        let (reason, fix) = match self.presence(root) {
            Presence::NotBuilt => {
                return Finding::missing(
                    format!("this kernel was built without {option}"),
                    format!(
                        "boot a distribution's kernel (Debian: `apt install \
                         linux-image-cloud-$(dpkg --print-architecture)`), then `modprobe {name}`"
                    ),
                );
            }
            Presence::NotFound => (
                format!("module {name} is not loaded, and none is visible from here"),
                format!("`modprobe {name}` on the host"),
            ),
            Presence::Active | Presence::Loadable => (
                format!("module {name} is not loaded"),
                format!("`modprobe {name}` as root (in a container, on the host)"),
            ),
        };
        match loading_forbidden(root) {
            Some((lock, key)) => {
                Finding::missing(format!("{reason}; {lock}"), format!("{key}, then {fix}"))
            }
            None => Finding::missing(reason, fix),
        }
    }

    /// Whether an index of the running kernel's modules lists this one.
    fn listed(&self, root: &Root, index: &str) -> bool {
        let Some(release) = root.text("/proc/sys/kernel/osrelease") else { return false };
        let Some(index) = root.text(format!("/lib/modules/{release}/{index}")) else {
            return false;
        };
        let file = format!("/{}.ko", self.name);
        // A line is a path, in modules.dep followed by a colon and what it needs.
        let path = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        index
            .lines()
            .map(path)
            .any(|path| path.find(&file).is_some_and(|at| !path[at + file.len()..].contains('/')))
    }
}

/// Why no module can be loaded until the next boot, if so, and what to do about it.
fn loading_forbidden(root: &Root) -> Option<(&'static str, &'static str)> {
    if root.value("/proc/sys/kernel/modules_disabled") == Some(1_u32) {
        return Some(("loading modules is locked (kernel.modules_disabled=1)", "reboot"));
    }
    let words = command_line(root)?;
    words
        .iter()
        .any(|word| word == "nomodule")
        .then_some(("the kernel was booted with `nomodule`", "reboot without `nomodule`"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::super::root::fixture::machine;
    use super::*;

    const TLS: KernelModule = KernelModule { name: "tls", option: "CONFIG_TLS" };
    const RELEASE: (&str, &str) = ("/proc/sys/kernel/osrelease", "6.1.0\n");

    fn presence(files: &[(&str, &str)]) -> Presence {
        let (_guard, root) = machine(files);
        TLS.presence(&root)
    }

    #[test]
    fn a_loaded_module_is_active_and_so_is_a_built_in_one() {
        assert_eq!(presence(&[("/sys/module/tls/refcnt", "0")]), Presence::Active);
        let builtin = ("/lib/modules/6.1.0/modules.builtin", "kernel/net/tls/tls.ko\n");
        assert_eq!(presence(&[RELEASE, builtin]), Presence::Active);
        assert_eq!(presence(&[RELEASE, ("/boot/config-6.1.0", "CONFIG_TLS=y")]), Presence::Active);
    }

    #[test]
    fn a_module_on_disk_is_loadable() {
        let index = "kernel/net/tls/tls.ko.xz: kernel/a.ko\n";
        let on_disk = ("/lib/modules/6.1.0/modules.dep", index);
        assert_eq!(presence(&[RELEASE, on_disk]), Presence::Loadable);
        let needed = ("/lib/modules/6.1.0/modules.dep", "kernel/a.ko: kernel/net/tls/tls.ko\n");
        assert_eq!(presence(&[RELEASE, needed]), Presence::NotFound);
    }

    #[test]
    fn the_kernels_own_compressed_configuration_is_read() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"# CONFIG_TLS is not set\nCONFIG_NET=y\n").unwrap();
        let (_guard, root) = machine(&[("/proc/version", "Linux")]);
        std::fs::write(root.path("/proc/config.gz"), encoder.finish().unwrap()).unwrap();
        assert_eq!(TLS.presence(&root), Presence::NotBuilt);
        let Finding::Missing { reason, fix } = TLS.missing(&root) else { panic!() };
        assert!(reason.contains("without CONFIG_TLS") && fix.contains("apt install"), "{reason}");
    }

    #[test]
    fn a_locked_kernel_asks_for_a_reboot() {
        let (_guard, root) = machine(&[("/proc/sys/kernel/modules_disabled", "1\n")]);
        let Finding::Missing { reason, fix } = TLS.missing(&root) else { panic!() };
        assert!(reason.contains("modules_disabled=1") && fix.starts_with("reboot"), "{reason}");
    }
}
