target_link_libraries(fuzz_jwt PRIVATE core_ops core_api)
