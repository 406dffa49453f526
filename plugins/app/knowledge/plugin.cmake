set(plugin_libraries PkgConfig::CRYPTO)
