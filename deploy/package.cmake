# The Debian package: `cpack` in the build folder. Where files lie is Debian's way, so everything is installed from / on.
set(deploy ${CMAKE_CURRENT_LIST_DIR})
set(documents usr/share/doc/atcd)
set(contact "atcd maintainers <maintainers@users.noreply.atcd.dev>")

install(TARGETS atcd RUNTIME DESTINATION usr/bin)
install(FILES ${deploy}/atcd.service ${deploy}/atcd@.service DESTINATION lib/systemd/system)
install(FILES ${deploy}/atcd.toml DESTINATION etc/atcd)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${deploy}/redis.md DESTINATION ${documents})
install(FILES ${deploy}/runbook.md ${deploy}/metrics.md ${deploy}/capacity.md DESTINATION ${documents})
install(FILES ${deploy}/debian/copyright DESTINATION ${documents})
install(FILES ${deploy}/signal.schema.json DESTINATION usr/share/atcd)
install(FILES ${deploy}/grafana-dashboard.json ${deploy}/alerts.yml DESTINATION usr/share/atcd)
install(DIRECTORY ${deploy}/examples/ DESTINATION ${documents}/examples)
install(FILES ${deploy}/atcd-cuda.conf DESTINATION ${documents}/examples)
# Made by the program itself (target `pages`), so that nothing of them is older than it.
install(FILES ${CMAKE_BINARY_DIR}/completions/atcd.bash DESTINATION usr/share/bash-completion/completions RENAME atcd)
install(FILES ${CMAKE_BINARY_DIR}/completions/_atcd DESTINATION usr/share/zsh/vendor-completions)
foreach(section 1 5 7)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION usr/share/man/man${section}
          FILES_MATCHING PATTERN "*.${section}")
endforeach()
install(CODE "set(version ${PROJECT_VERSION}-1)\nset(contact \"${contact}\")")
install(SCRIPT ${deploy}/debian/changelogs.cmake)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_PACKAGE_NAME atcd)
set(CPACK_PACKAGE_CONTACT "${contact}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Adaptive Trend Classification signals from exchange feeds to Redis")
set(CPACK_PACKAGE_DESCRIPTION
    "atcd turns exchange websocket feeds into Adaptive Trend Classification signals\nand publishes each final signal to Redis exactly once and in order. The service\nis not enabled and not started when it is installed: it has no exchange, no\nsymbols and no Redis of yours yet.")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, procps")  # the unit reloads with /bin/kill
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS systemd)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS redis-server)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${deploy}/debian/conffiles ${deploy}/debian/postinst ${deploy}/debian/prerm
                                       ${deploy}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# What goes into the package is the program, and it may be the only thing that was built.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
include(CPack)
