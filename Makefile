# Chorus.  `make help` lists the targets; everything built lands in build/.
#
#   make BUILD=build/asan                              with sanitizers
#   make chaos BUILD=build/asan SECONDS=60             chaos with these
#   make CC=clang BUILD=build/clang                    with another compiler
#   make CRASH_POINTS=1                                for t/crash.t
#   make HIREDIS_CFLAGS=-I... HIREDIS_LIBS="-L... -lhiredis" BUILD=build/tls
#                                     another hiredis than pkg-config's
#   make V=1                                           show the commands

BUILD     ?= $(if $(CRASH_POINTS),build/crash,build)

# what else would be in a folder of that name; the tests go by it, too
ifneq ($(findstring asan,$(notdir $(BUILD))),)
OPT       ?= -O1 -g
SANITIZE  ?= address,undefined
endif

OPT       ?= -O2 -g
SANITIZE  ?=
NGINX_SRC ?= /usr/share/nginx/src
prefix    ?= /usr/local
unitdir   ?= $(if $(filter /usr,$(prefix)),,$(prefix))/lib/systemd/system

ifeq ($(origin CC),default)
CC := gcc
endif

ifneq ($(SANITIZE),)
sanitize := -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer
endif

crash := $(if $(CRASH_POINTS),-DCHORUS_CRASH_POINTS=1)

# for a build that nobody gave a -j
all_cores = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

q   := $(if $(V),,@)
say := @$(if $(V),:,echo)

libraries := libcurl libcrypto jansson libpcre2-8 expat

# asked once, and only when something is compiled: `make help` needs nothing
hiredis_env = $(if $(HIREDIS_CFLAGS),HIREDIS_CFLAGS='$(HIREDIS_CFLAGS)') \
              $(if $(HIREDIS_LIBS),HIREDIS_LIBS='$(HIREDIS_LIBS)')
hiredis = $(shell CC='$(CC)' $(hiredis_env) tools/hiredis $(1))
hiredis_cflags = $(eval hiredis_cflags := \
                   $(call hiredis,cflags))$(hiredis_cflags)
hiredis_libs   = $(eval hiredis_libs := $(call hiredis,libs))$(hiredis_libs)

cflags  = -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes \
          -Wmissing-prototypes -Werror -D_GNU_SOURCE -pthread \
          $(OPT) $(sanitize) -Ishared -I$(BUILD) $(hiredis_cflags) \
          -MMD -MP $(CFLAGS)
ldflags = -pthread $(sanitize) $(LDFLAGS)
libs    = $(hiredis_libs) $(shell pkg-config --libs $(libraries))

# chorus.lua is the first: the others use what is local in it
library    := $(sort $(wildcard shared/lua/*.lua))
shared_src := $(addprefix shared/,$(shell sed -e '/^\#/d' shared/SOURCES))
shared_obj := $(shared_src:%.c=$(BUILD)/obj/%.o) \
              $(BUILD)/obj/chorus_library.o
worker_obj := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard chorus-worker/*.c))
ctl_obj    := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard chorusctl/*.c))
fuzz_names := $(patsubst t/fuzz/%.c,%,$(wildcard t/fuzz/*.c))
fuzz_prog  := $(addprefix $(BUILD)/fuzz/,$(fuzz_names))
unit_prog  := $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/*.c))
bench_prog := $(addprefix $(BUILD)/bench/,checksum load sink)

# of the web page: served as they are
ui := $(sort $(shell find ui -type f))

module := $(BUILD)/ngx_http_chorus_module.so
worker := $(BUILD)/chorus-worker
ctl    := $(BUILD)/chorusctl

.PHONY: all module worker ctl unit bench bench-build bench-migrate \
        bench-proxy bench-instructions bench-record bench-events bench-memory \
        bench-lag bench-big bench-growth bench-checksum bench-report fuzz \
        fuzz-run chaos install uninstall deb package-check demo demo-stop \
        check nightly lint ui-shots clean help
.DELETE_ON_ERROR:

all: module worker ctl      ## build the module, the worker and chorusctl

module: $(module)           ## build/ngx_http_chorus_module.so
worker: $(worker)           ## build/chorus-worker
ctl: $(ctl)                 ## build/chorusctl
unit: $(unit_prog)          ## the unit test programs (build/unit/)

demo:                       ## install, build, start everything, replicate
	@tools/install-packages demo
	@$(MAKE) --no-print-directory $(all_cores) all
	@demo/start

demo-stop:                  ## end everything that `make demo` started
	@demo/stop

install: all                ## into Debian's places, below DESTDIR
	install -D -m 644 $(module) \
	    $(DESTDIR)/usr/lib/nginx/modules/ngx_http_chorus_module.so
	install -D -m 755 $(worker) $(DESTDIR)$(prefix)/bin/chorus-worker
	install -D -m 755 $(ctl) $(DESTDIR)$(prefix)/bin/chorusctl
	install -D -m 644 docs/chorusctl.1 \
	    $(DESTDIR)$(prefix)/share/man/man1/chorusctl.1
	install -d $(DESTDIR)$(unitdir)
	sed 's|/usr/bin/|$(prefix)/bin/|' conf/systemd/chorus-worker.service \
	    > $(DESTDIR)$(unitdir)/chorus-worker.service
	chmod 644 $(DESTDIR)$(unitdir)/chorus-worker.service
	install -D -m 644 conf/chorus_server.conf \
	    $(DESTDIR)/etc/nginx/chorus_server.conf
	install -D -m 644 conf/chorus_proxy.conf \
	    $(DESTDIR)/etc/nginx/chorus_proxy.conf
	install -D -m 644 conf/chorus_ui.conf \
	    $(DESTDIR)/etc/nginx/chorus_ui.conf
	for file in $(ui); do \
	    install -D -m 644 $$file $(DESTDIR)/usr/share/chorus/$$file \
	    || exit 1; \
	done
	install -D -m 644 conf/nginx.conf \
	    $(DESTDIR)/usr/share/doc/chorus/nginx.conf
	install -D -m 644 conf/chorus.json \
	    $(DESTDIR)/usr/share/doc/chorus/chorus.json
	install -D -m 644 conf/prometheus/alerts.yml \
	    $(DESTDIR)/usr/share/doc/chorus/alerts.yml
	install -D -m 644 conf/grafana/chorus.json \
	    $(DESTDIR)/usr/share/doc/chorus/grafana.json
	@# nginx gives the journal to the user of its processes when it starts
	install -d -m 755 $(DESTDIR)/var/lib/chorus
	install -d -m 700 $(DESTDIR)/var/lib/chorus/journal

uninstall:                  ## but /etc/chorus and /var/lib/chorus stay
	rm -f $(DESTDIR)/usr/lib/nginx/modules/ngx_http_chorus_module.so \
	    $(DESTDIR)$(prefix)/bin/chorus-worker \
	    $(DESTDIR)$(prefix)/bin/chorusctl \
	    $(DESTDIR)$(prefix)/share/man/man1/chorusctl.1 \
	    $(DESTDIR)$(unitdir)/chorus-worker.service \
	    $(DESTDIR)/etc/nginx/chorus_server.conf \
	    $(DESTDIR)/etc/nginx/chorus_proxy.conf \
	    $(DESTDIR)/etc/nginx/chorus_ui.conf
	rm -rf $(DESTDIR)/usr/share/doc/chorus $(DESTDIR)/usr/share/chorus/ui

deb:                        ## the Debian packages, build/packages/*.deb
	@tools/install-packages deb
	@tools/deb

package-check:              ## packages, units and images, proven in chroots
	@tools/install-packages package-check
	@tools/package-check

check:                      ## install, build, run all tests
	@tools/install-packages check
	@t/run

nightly:                    ## the long ones: 5 GiB, 20 million keys, 10,000 objects migrated, races, chaos, fuzz, ASan
	@tools/install-packages check
	@t/run build full full_chaos full_fuzz asan asan_e2e full_asan

ui-shots: all               ## each web page as a picture, build/ui-shots/
	@tools/install-packages check
	@rm -rf $(BUILD)/ui-shots
	@CHORUS_BUILD=$(abspath $(BUILD)) \
	    CHORUS_UI_SHOTS=$(abspath $(BUILD))/ui-shots \
	    PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider \
	    t/e2e/test_ui_access.py
	@echo "look at $(BUILD)/ui-shots/*.png"

# PARTS="proxy events" runs these only
bench: all bench-build      ## how fast it is, each part beside a peer; one table; PARTS=
	@tools/install-packages bench
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/report.py --run \
	    $(or $(PARTS),checksum proxy instructions events memory migrate \
	                  lag big growth)

bench-report:               ## the table and the plot again, of what was measured
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/report.py

bench-checksum: bench-build ## checksums of uploads beside memcpy
	@echo "== checksum"
	@$(BUILD)/bench/checksum

bench-proxy: all bench-build ## requests beside a bare nginx; PROXY=--help
	@echo "== proxy"
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/proxy.py \
	    --json $(BUILD)/bench/proxy.json $(PROXY)

bench-instructions: all bench-build ## of nginx, for a request
	@echo "== instructions"
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/instructions.py \
	    --json $(BUILD)/bench/instructions.json $(INSTRUCTIONS)

bench-record: all bench-build ## instructions that `make check` then holds a request to
	@tools/install-packages bench
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/instructions.py --record
	@git --no-pager diff bench/instructions.json

bench-events: all bench-build ## marks a second, bytes a key in Redis; EVENTS=--help
	@echo "== events"
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/events.py \
	    --json $(BUILD)/bench/events.json $(EVENTS)

bench-memory: all bench-build ## of nginx and of chorus-worker; MEMORY=--help
	@echo "== memory"
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/memory.py \
	    --json $(BUILD)/bench/memory.json $(MEMORY)

bench-migrate: all          ## migration beside rclone, on two Ceph stores; MIGRATE=--help
	@tools/install-packages bench
	@echo "== migrate"
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/migrate.py \
	    --json $(BUILD)/bench/migrate.json $(MIGRATE)

bench-lag: all              ## of a small object at rest, beside the calls it takes; LAG=--help
	@tools/install-packages bench
	@echo "== lag"
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/lag.py \
	    --json $(BUILD)/bench/lag.json $(LAG)

bench-big: all              ## large objects beside rclone and a pipe of curl; BIG=--help
	@tools/install-packages bench
	@echo "== big"
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/big.py \
	    --json $(BUILD)/bench/big.json $(BIG)

bench-growth: all bench-build ## with 10 and 100 times as many keys; GROWTH=--help
	@tools/install-packages bench
	@echo "== growth"
	@CHORUS_BUILD=$(abspath $(BUILD)) bench/growth.py \
	    --json $(BUILD)/bench/growth.json $(GROWTH)

bench-build: $(bench_prog)

fuzz: fuzz-build            ## each fuzz target for SECONDS (default 20)
	@for target in $(fuzz_names); do t/fuzz/run $$target $(SECONDS) || exit 1; \
	done

SECONDS ?= 20

fuzz-build:                 # the fuzz targets, build/fuzz/fuzz/*
	@tools/install-packages check
	@$(MAKE) --no-print-directory fuzz-programs CC=clang BUILD=build/fuzz \
	    SANITIZE=fuzzer-no-link,address,undefined OPT="-O1 -g"

fuzz-programs: $(fuzz_prog)

# the target's own default, not that of fuzz; CHAOS=--help lists options
chaos: SECONDS = 480
chaos:                      ## everything fails, for SECONDS (480); SEED=, BUILD=build/asan
	@tools/install-packages check
	@$(MAKE) --no-print-directory all
	@CHORUS_BUILD=$(abspath $(BUILD)) t/chaos/chaos.py \
	    --seconds $(SECONDS) --seed "$(SEED)" $(CHAOS)

lint:                       ## static analysis
	@tools/install-packages lint
	@tools/lint

clean:                      ## remove what was built, end a running demo
	@[ ! -e build/demo/env ] || demo/stop
	rm -rf build

help:                       ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1#\2/p' Makefile \
	    | column -t -s '#'


# ---- the library that all three share ----

$(BUILD)/libchorus.a: $(shared_obj)
	@rm -f $@
	$(say) "  AR    $@"
	$(q)ar rcs $@ $^

$(BUILD)/chorus_library.c: $(library) tools/embed
	@mkdir -p $(@D)
	$(q)tools/embed $(library) > $@

$(BUILD)/obj/chorus_library.o: $(BUILD)/chorus_library.c
	@mkdir -p $(@D)
	$(say) "  CC    $@"
	$(q)$(CC) $(cflags) -c -o $@ $<

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) "  CC    $@"
	$(q)$(CC) $(cflags) -c -o $@ $<


# ---- programs ----

$(worker): $(worker_obj) $(BUILD)/libchorus.a
	$(say) "  LINK  $@"
	$(q)$(CC) $(ldflags) -o $@ $^ $(libs)

$(ctl): $(ctl_obj) $(BUILD)/libchorus.a
	$(say) "  LINK  $@"
	$(q)$(CC) $(ldflags) -o $@ $^ $(libs) $(shell pkg-config --libs ncursesw)

$(BUILD)/unit/%: t/unit/%.c $(BUILD)/libchorus.a
	@mkdir -p $(@D)
	$(say) "  TEST  $@"
	$(q)$(CC) $(cflags) $(ldflags) -o $@ $< $(BUILD)/libchorus.a -lcmocka \
	    $(libs)

$(BUILD)/bench/load: bench/load_requests.c bench/load_requests.h

$(BUILD)/bench/%: bench/%.c $(BUILD)/libchorus.a
	@mkdir -p $(@D)
	$(say) "  BENCH $@"
	$(q)$(CC) $(cflags) $(ldflags) -o $@ $(filter %.c,$^) \
	    $(BUILD)/libchorus.a $(libs)

$(BUILD)/fuzz/%: t/fuzz/%.c t/fuzz/fuzz.h $(BUILD)/libchorus.a
	@mkdir -p $(@D)
	$(say) "  FUZZ  $@"
	$(q)$(CC) $(cflags) -fsanitize=fuzzer,address,undefined -o $@ $< \
	    $(BUILD)/libchorus.a $(libs)


# ---- the nginx module, against the tree that Debian's nginx-dev installs ----

nginx_tree   := $(BUILD)/nginx
module_deps  := config tools/embed tools/hiredis shared/SOURCES \
                $(library)
module_files := $(wildcard ngx_chorus_module/*.[ch] shared/*.[ch])

$(nginx_tree)/objs/Makefile: $(module_deps)
	@[ -x $(NGINX_SRC)/configure ] || { \
	    echo "no nginx sources in $(NGINX_SRC): tools/install-packages build," \
	         "or make NGINX_SRC=/path/to/nginx-x.y.z" >&2; exit 1; }
	@rm -rf $(nginx_tree)
	@mkdir -p $(nginx_tree)
	@cp -r $(NGINX_SRC)/. $(nginx_tree)/
	$(say) "  CONF  $(nginx_tree)"
	$(q)cd $(nginx_tree) && $(hiredis_env) ./configure --with-compat --with-cc="$(CC)" \
	    --with-cc-opt="-D_GNU_SOURCE $(OPT) $(sanitize) $(crash)" \
	    --with-ld-opt="$(sanitize) $(LDFLAGS)" \
	    --with-http_ssl_module --with-http_v2_module --with-threads \
	    --add-dynamic-module="$(CURDIR)" > configure.log \
	    || { tail -n 20 configure.log >&2; exit 1; }

$(module): $(nginx_tree)/objs/Makefile $(module_files)
	$(say) "  MAKE  $@"
	$(q)$(MAKE) --no-print-directory -C $(nginx_tree) -f objs/Makefile \
	    modules $(if $(V),,> $(nginx_tree)/make.log 2>&1 \
	    || { grep -E -B2 -A6 'error|warning' $(nginx_tree)/make.log >&2 \
	         || tail -n 20 $(nginx_tree)/make.log >&2; exit 1; })
	@# a running nginx has the old file mapped: replace it, never rewrite it
	@cp $(nginx_tree)/objs/ngx_http_chorus_module.so $@.new && mv -f $@.new $@


-include $(shell find $(BUILD)/obj $(BUILD)/unit $(BUILD)/bench \
    -name '*.d' 2>/dev/null)
