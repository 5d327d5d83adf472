# What `cmake --install` puts where: the command, the library with its headers, and what finds it from CMake and pkg-config.
#
# libferry.a holds the objects of all modules that the library is made of; what it needs of the system is found again by
# ferryConfig.cmake.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(ferry_library_modules base sqs config access protocol client ledger signing audit metrics sender worker library)
add_library(ferry_archive STATIC)
set_target_properties(ferry_archive PROPERTIES OUTPUT_NAME ferry EXPORT_NAME ferry LINKER_LANGUAGE CXX)
foreach(module ${ferry_library_modules})
  target_sources(ferry_archive PRIVATE $<TARGET_OBJECTS:ferry_${module}>)
endforeach()
target_compile_features(ferry_archive INTERFACE cxx_std_20)
target_include_directories(ferry_archive INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
# Found before, by the modules that own them; imported targets are known in their folders only.
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(fmt REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS json)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
target_link_libraries(ferry_archive PRIVATE Threads::Threads OpenSSL::Crypto CURL::libcurl SQLite::SQLite3 fmt::fmt Boost::json
                      PkgConfig::ISAL PkgConfig::LIBPQ PkgConfig::TOMLPLUSPLUS PkgConfig::SIMDJSON)
add_library(ferry::ferry ALIAS ferry_archive)
# Nobody has to ask for the archive before an install.
if(TARGET ferry)
  add_dependencies(ferry ferry_archive)
  install(TARGETS ferry RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime)
endif()

set(ferry_cmake_folder "${CMAKE_INSTALL_LIBDIR}/cmake/ferry")
install(TARGETS ferry_archive EXPORT ferry_targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/ferry" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development FILES_MATCHING PATTERN "*.h")
install(EXPORT ferry_targets NAMESPACE ferry:: FILE ferryTargets.cmake DESTINATION "${ferry_cmake_folder}" COMPONENT development)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/ferryConfig.cmake.in" "${PROJECT_BINARY_DIR}/ferryConfig.cmake"
                              INSTALL_DESTINATION "${ferry_cmake_folder}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/ferryConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/ferryConfig.cmake" "${PROJECT_BINARY_DIR}/ferryConfigVersion.cmake" DESTINATION "${ferry_cmake_folder}" COMPONENT development)
file(RELATIVE_PATH ferry_prefix_from_pc "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p") # so that what is installed can be moved
configure_file("${PROJECT_SOURCE_DIR}/cmake/ferry.pc.in" "${PROJECT_BINARY_DIR}/ferry.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/ferry.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT runtime)
