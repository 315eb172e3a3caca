package Chorus::Journal;

# Reads the folder of a journal, with a reader of its own.

use strict;
use warnings;

use Chorus::Fixture;

my @TYPES = qw(? intent abort done debt closed);
my $HEAD = 32;


sub new {
    my ($class, $folder) = @_;

    return bless { folder => $folder }, $class;
}


sub folder { $_[0]{folder} }


sub directive {
    my ($self, $arguments) = @_;

    return "chorus_journal $self->{folder} " . ($arguments // '') . ";\n";
}


sub clean {
    my ($self) = @_;

    unlink glob "$self->{folder}/*";
}


# In the order in which they were made.
sub segments {
    my ($self) = @_;

    my @files = glob "$self->{folder}/*.seg";
    @files = sort { ($a =~ /-(\d+)-/)[0] <=> ($b =~ /-(\d+)-/)[0] } @files;
    return @files;
}


sub debts { glob "$_[0]{folder}/*.debts" }


# Of all segments; those of one file when there is one.
sub records {
    my ($self, @files) = @_;

    return map { read_records($_) } @files ? @files : $self->segments;
}


sub types { map { $_->{type} } records(@_) }
sub intents { grep { $_->{type} eq 'intent' } records(@_) }


sub read_records {
    my ($file) = @_;

    my $bytes = read_file($file);
    my @records;
    for (my $at = 0; $at + $HEAD <= length $bytes; ) {
        my ($mark, $type, $length, $crc, $id) =
            unpack 'VVVVQ<', substr $bytes, $at, $HEAD;
        last unless $mark;
        my $payload = substr $bytes, $at + $HEAD, $length;
        push @records, { type => $TYPES[$type], id => $id,
            $type == 1 ? read_intent($payload)
            : $type == 4 ? (debt => (unpack 'V/a V/a', $payload)[0]) : () };
        $at += $HEAD + $length;
    }
    return @records;
}


sub read_intent {
    my ($payload) = @_;

    my ($facets, $nfollowers, $nkeys, @strings) =
        unpack 'V V V (V/a)*', $payload;
    my ($user, $bucket) = splice @strings, 0, 2;
    return (facets => $facets, user => $user, bucket => $bucket,
        followers => [splice @strings, 0, $nfollowers], keys => \@strings);
}

1;
