# SPDX-License-Identifier: Apache-2.0
# A one-node Ceph as functions, for those who source this: one monitor, one OSD on a sparse file, one S3
# gateway, everything on 127.0.0.1 but the gateway, no internal authentication, one copy of everything.
# Set before: folder (short: it holds sockets), address and port of the gateway, monitor_port,
# access_key, secret_key, block_gib. State lies in the folder and survives any death of the daemons.
# shellcheck shell=bash disable=SC2154

export LC_ALL=C PYTHONWARNINGS=ignore

until_true() { # ATTEMPTS COMMAND…: ten attempts a second
  local attempts=$1
  shift
  for _ in $(seq "$attempts"); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "gave up: $*" >&2
  return 1
}

prepare() { # folders, ids, and the configuration that every daemon reads
  mkdir -p "$folder"/{run,rgw,crash}
  local name
  for name in fsid osd-id; do
    [[ -s $folder/$name ]] || cp /proc/sys/kernel/random/uuid "$folder/$name"
  done
  conf=$folder/ceph.conf
  cat >"$conf" <<CONF
[global]
fsid = $(cat "$folder/fsid")
mon_host = v2:127.0.0.1:$monitor_port
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_mon_client_mode = crc
ms_cluster_mode = crc
ms_service_mode = crc
ms_client_mode = crc
run_dir = $folder/run
admin_socket = $folder/run/\$name.asok
crash_dir = $folder/crash
log_file =
mon_cluster_log_file =
log_to_stderr = false
err_to_stderr = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_max_pg_per_osd = 1000
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
[mon]
mon_data = $folder/mon
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
mon_osd_min_down_reporters = 1
[osd]
osd_data = $folder/osd
osd_objectstore = bluestore
osd_memory_target = 939524096
osd_class_load_list = *
osd_class_default_list = *
bluestore_block_size = $((block_gib * 1024 * 1024 * 1024))
bluestore_block_create = true
bluestore_block_preallocate_file = false
[client.rgw]
rgw_data = $folder/rgw
# Without tcp_nodelay every small answer waits 40 ms for an acknowledgement.
rgw_frontends = beast endpoint=$address:$port tcp_nodelay=1
rgw_thread_pool_size = 64
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_run_sync_thread = false
CONF
}

make_monitor() {
  [[ -e $folder/mon/.made ]] && return
  rm -rf "$folder/mon"
  mkdir "$folder/mon"
  monmaptool --create --clobber --fsid "$(cat "$folder/fsid")" \
    --addv a "[v2:127.0.0.1:$monitor_port]" "$folder/monmap" >/dev/null
  ceph-mon -c "$conf" -i a --mkfs --monmap "$folder/monmap"
  touch "$folder/mon/.made"
}

make_osd() { # needs a running monitor
  [[ -e $folder/osd/.made ]] && return
  rm -rf "$folder/osd"
  mkdir "$folder/osd"
  local id
  id=$(cat "$folder/osd-id")
  until_true 300 timeout 10 ceph -c "$conf" --connect-timeout 5 osd new "$id" 0
  ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$id"
  touch "$folder/osd/.made"
}

make_user() { # needs all three daemons
  [[ -e $folder/user.made ]] && return
  timeout 60 radosgw-admin -c "$conf" -n client.rgw user create --uid=tabard --display-name=tabard \
    --access-key="$access_key" --secret="$secret_key" >/dev/null
  touch "$folder/user.made"
}

answers() { # whether the gateway does
  curl --silent --output /dev/null "http://127.0.0.1:$port/"
}

run_daemon() { # NAME: becomes that daemon
  case $1 in
    mon) exec ceph-mon -c "$conf" -i a -f ;;
    osd) exec ceph-osd -c "$conf" -i 0 -f ;;
    rgw) exec radosgw -c "$conf" -n client.rgw -f ;;
  esac
}
