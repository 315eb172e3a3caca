package Chorus::Fixture;

# What the tests share: a private folder with chorus.json and copies of the
# shipped conf/ files, which sections of a block reach as $TEST_NGINX_CHORUS:
#
#     --- http_config
#     chorus_config $TEST_NGINX_CHORUS/chorus.json;
#     --- config
#     include $TEST_NGINX_CHORUS/server.conf;
#
# The storages of the default chorus.json are sockets in that folder, see
# Chorus::Storage.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Spec;
use File::Temp qw(tempdir);
use JSON::PP ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw($Folder $Conf chorus_json chorus_config http_config
    server_config proxy_location write_file read_file wait_for free_port);

our $Folder = tempdir('chorus-t-XXXXXX', TMPDIR => 1, CLEANUP => 1);
our $Conf = abs_path(dirname(__FILE__) . '/../../../conf');

# Seconds that each wait has at least: other tests run, too, and maybe on one
# core.
my $PATIENCE = 40;

# A redis.url where nobody listens.
our $Nowhere = "unix://$Folder/nowhere.sock";

my $owner = $$;


# Genuine Test::Nginx has a client_max_body_size of its own in its server.
# Reading the machine's 140 authorities takes nginx 40 ms for each location:
# the first of them does.
my $authorities = '/etc/ssl/certs/ca-certificates.crt';
write_file("$Folder/authority.pem",
    read_file($authorities) =~ s/(?<=-----END CERTIFICATE-----\n).*//sr);
write_file("$Folder/server.conf", read_file("$Conf/chorus_server.conf")
    =~ s/^client_max_body_size .*//mr
    =~ s/\Q$authorities\E/$Folder\/authority.pem/r);
write_file("$Folder/proxy.conf", read_file("$Conf/chorus_proxy.conf"));
write_file("$Folder/chorus.json", chorus_json(), 0600);

$ENV{TEST_NGINX_CHORUS} = $Folder;
$ENV{TEST_NGINX_SERVER_PORT} //= $ENV{TEST_NGINX_PORT} // 1984;


# The default chorus.json as a structure, with top-level parts replaced.
sub chorus_config {
    my (%parts) = @_;

    my $storage = sub {
        my ($name, $host, $region, %more) = @_;
        return { endpoint => "http://$host", region => $region, %more,
            users => { map { $_ => {
                access_key => uc("$name-$_"),
                secret_key => "$name-$_-secret" } } qw(alice bob) } };
    };

    return {
        redis => { url => $Nowhere },
        storages => {
            main => $storage->('main', 'main.test:9001', 'us-east-1',
                main => JSON::PP::true),
            follower => $storage->('follower', 'follower.test:9002', 'eu-1'),
            archive => $storage->('archive', 'archive.test', 'ap-1'),
        },
        users => {
            alice => [
                { access_key => 'CHORUS-KEY', secret_key => 'chorus-secret' },
                { access_key => 'OTHER-KEY', secret_key => 'other-secret' },
            ],
            bob => [
                { access_key => 'BOB-KEY', secret_key => 'bob-secret' },
            ],
        },
        replications => [
            { user => 'alice', bucket => 'bkt', to => ['follower'] },
            { user => 'alice', bucket => 'two',
              to => ['follower', 'archive'] },
        ],
        routes => [
            { user => '*', bucket => '~^logs-', storage => 'archive' },
            { user => 'bob', bucket => 'bobs', storage => 'archive' },
        ],
        %parts,
    };
}


sub chorus_json {
    return JSON::PP->new->canonical->pretty->encode(chorus_config(@_));
}


# Of the http block; $json is a file of the folder.
sub http_config {
    my ($json) = @_;

    $json //= 'chorus.json';
    my $upstreams = join '', map { <<"END" } qw(main follower archive);
    upstream $_ { server unix:$Folder/$_.sock; keepalive 8; }
END
    return <<"END";
    chorus_config $Folder/$json;
    chorus_zone chorus 64k;
$upstreams
END
}


# Of the server block that clients use.
sub server_config {
    return "include $Folder/server.conf;\n" . join '',
        @_ ? @_ : proxy_location('/');
}


sub proxy_location {
    my ($path, @directives) = @_;

    return "location $path { chorus on; @directives "
        . "include $Folder/proxy.conf; }\n";
}


sub write_file {
    my ($path, $text, $mode) = @_;

    open my $out, '>:raw', $path or die "$path: $!\n";
    chmod $mode, $path or die "$path: $!\n" if defined $mode;
    print $out $text;
    close $out or die "$path: $!\n";
}


sub read_file {
    my ($path) = @_;

    open my $in, '<:raw', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}


# Returns what the code returns once that is true, or its last answer.
sub wait_for (&;$) {
    my ($code, $seconds) = @_;

    $seconds = $PATIENCE if ($seconds // 0) < $PATIENCE;
    my $deadline = time + $seconds;
    while (1) {
        my $answer = $code->();
        return $answer if $answer || time > $deadline;
        sleep 0.02;
    }
}


# For a server that cannot listen on a socket in the folder.  Below the range
# from which the kernel takes ports for clients, and apart from the ports of
# the harness; locked, so that no two ask for the same one before they listen.
my @locks;

sub free_port {
    require IO::Socket::INET;

    my $folder = File::Spec->tmpdir . "/chorus-ports.$<";
    mkdir $folder;
    for (1 .. 5000) {
        my $port = 32000 + int rand 700;
        open my $lock, '>', "$folder/$port" or die "$folder/$port: $!\n";
        next unless flock $lock, LOCK_EX | LOCK_NB;
        my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $port, Listen => 1, ReuseAddr => 1) or next;
        push @locks, $lock;
        return $port;
    }

    die "no free port\n";
}


# A signal has to end in exit(), or else END does not run and servers stay.
for my $signal (qw(INT TERM HUP)) {
    $SIG{$signal} //= sub { exit 1 };
}

sub is_owner { $$ == $owner }

1;
