//! The binary frontier: the only module that names `abi_stable`.
//!
//! A library exports one root module with three functions (manifest, create, and, on an instance, call). The
//! messages that cross are bytes; the pixels cross as buffers that stay where they are. So the layout that
//! abi_stable has to check is small and never changes within a major version, and the contract grows inside the
//! messages. The types live in a crate of their own, `adeval-frontier`, because abi_stable compares crate versions.

mod export;
mod host;
mod load;
mod message;

pub use export::{Exported, root_module};
pub use load::{LoadedLibrary, load};

#[doc(hidden)]
pub mod reexports {
    //! What `export_plugin!` expands to; not for authors.
    pub use abi_stable::library::{__call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult};
    pub use adeval_frontier::PluginModuleRef;
}

/// Makes this library a plugin that exports the given components.
///
/// ```ignore
/// export_plugin! {
///     background_generator: [Studio, Outdoor],
///     trainable_prompt_generator: [Policy],
/// }
/// ```
/// The keys are `prompt_generator`, `trainable_prompt_generator`, `background_generator`, `reward_model`,
/// `trainable_reward_model`, `rl_optimizer` and `image_embedder`.
///
/// A library whose components are known only when it runs names a `fn() -> Library` instead:
/// `export_plugin!(library)`.
#[macro_export]
macro_rules! export_plugin {
    ($($kind:ident : [$($component:ty),* $(,)?]),+ $(,)?) => {
        const _: () = {
            fn library() -> $crate::Library {
                let mut library = $crate::Library::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
                $($(library.$kind::<$component>();)*)*
                library
            }
            $crate::export_plugin!(library);
        };
    };
    ($library:path) => {
        const _: () = {
            use $crate::abi::reexports as abi;

            static EXPORTED: $crate::abi::Exported = $crate::abi::Exported::new($library);

            fn root() -> abi::PluginModuleRef {
                $crate::abi::root_module(&EXPORTED)
            }

            /// The contract's version, readable before anything else is trusted.
            #[unsafe(no_mangle)]
            pub static ADEVAL_PLUGIN_CONTRACT: u32 = $crate::ContractVersion::CURRENT.packed();

            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: abi::LibHeader = {
                extern "C" fn erased() -> abi::RootModuleResult {
                    abi::__call_root_module_loader(root)
                }
                unsafe {
                    abi::LibHeader::from_constructor::<abi::PluginModuleRef>(erased, abi::CheckTypeLayout::Yes)
                }
            };
        };
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_exported_symbol_is_the_one_that_is_looked_up() {
        // The macro needs the name as an identifier, so it is spelled out there.
        assert_eq!(abi_stable::library::ROOT_MODULE_LOADER_NAME, "_1as_0lib_1header_0root_bmodule_bloader");
    }

    #[test]
    fn the_frontier_has_the_version_of_the_contract() {
        assert_eq!(adeval_frontier::CONTRACT_MAJOR, crate::ContractVersion::CURRENT.major.to_string());
    }
}
